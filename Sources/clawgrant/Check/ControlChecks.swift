import Foundation
import GrantWorker
import IssuanceRules

/// Checks of the way in which control events come.
enum ControlChecks {
    static func findings(_ file: ConfigurationFile, _ rules: RuleSet) -> [CheckFinding] {
        let control = file.worker.control
        let signers = rules.control.signers.values
        var findings: [CheckFinding] = []
        switch (control.topic, signers.isEmpty) {
        case (nil, true):
            findings.append(
                .notice(
                    "control", "no control topic: stops come from the command line and from sources of approvals alone",
                    "set control.topic, and list keys under control.signers of the rules"))
        case (nil, false):
            findings.append(
                .warning(
                    "control",
                    "the rules list \(signers.count) signers of control events, and no topic is read for them",
                    "set control.topic"))
        case (let topic?, true):
            findings.append(
                .warning(
                    "control", "nobody may send anything over \(topic): the rules list no signer",
                    "list keys under control.signers of the rules"))
        case (let topic?, false):
            findings.append(.ok("control", "\(topic): \(signers.count) keys may sign control events"))
            if !signers.contains(where: { $0.operations.contains(.stop) && $0.reaches(.everything) }) {
                findings.append(
                    .notice(
                        "control", "no key may stop everything over the topic",
                        "give one the operation stop without job_classes, or rely on `clawgrant stop --all`"))
            }
        }
        guard let stopFile = control.stopFile else {
            findings.append(
                .notice(
                    "control", "no stop file: with the database gone only SIGUSR1 halts a worker",
                    "set control.stop_file"))
            return findings
        }
        let directory = URL(fileURLWithPath: stopFile).deletingLastPathComponent().path
        var isDirectory = false
        do {
            isDirectory =
                try FileManager.default.attributesOfItem(atPath: directory)[.type] as? FileAttributeType
                == .typeDirectory
        } catch {
            isDirectory = false
        }
        if !isDirectory {
            findings.append(
                .warning(
                    "control", "the directory of the stop file \(stopFile) does not exist",
                    "make it now, not in an emergency"))
        } else if FileManager.default.fileExists(atPath: stopFile) {
            findings.append(
                .warning(
                    "control", "the worker is halted: the file \(stopFile) exists",
                    "find out who made it and why; take it away to let the worker issue again"))
        } else {
            findings.append(.ok("control", "the file \(stopFile) would halt the worker"))
        }
        return findings
    }
}
