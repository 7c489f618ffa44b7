import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import Postgres

/// Checks of the database, the schema, privileges and clocks.
enum DatabaseChecks {
    static func findings(_ file: ConfigurationFile) async -> [CheckFinding] {
        do {
            return try await LedgerAccess.connection(file) { connection in
                var findings: [CheckFinding] = []
                if !file.worker.database.isServerVerified {
                    findings.append(
                        .warning(
                            "database", "the server's identity is not proved",
                            "add sslmode=verify-full and sslrootcert to database.conninfo, or use a Unix socket"))
                }
                let current = Migration.latest
                let version = try await Migrator.version(connection)
                guard version >= current else {
                    findings.append(
                        .error(
                            "database",
                            version == 0
                                ? "there is no schema" : "the schema is \(version), this build needs \(current)",
                            "run `clawgrant ledger migrate`"))
                    return findings
                }
                findings.append(
                    version == current
                        ? .ok("database", "schema \(version)")
                        : .notice(
                            "database", "the schema is \(version), newer than this build's \(current)",
                            "upgrade this build, or leave it for as long as you may roll back; see docs/upgrade.md"))
                let before = Clock.now
                let clock = try await LedgerInspection.clock(connection)
                let after = Clock.now
                findings.append(clocks(database: clock, before: before, after: after))
                let inspection = try await LedgerInspection.read(connection)
                findings += settings(inspection, file)
                findings += privileges(inspection)
                if let logID = inspection.logID, logID != file.worker.logID.rawValue {
                    findings.append(
                        .error(
                            "database",
                            "the ledger is of the log \(logID), the configuration says \(file.worker.logID)",
                            "correct log_id, or use another database: a log keeps its name"))
                }
                return findings
            }
        } catch let failure as CommandFailure {
            return [.error("database", failure.finding, failure.remedy)]
        } catch let error as LedgerError where error.code == .refused {
            return [
                .error(
                    "database", "\(error)",
                    "run `clawgrant ledger roles --apply` as the owner and grant clawgrant_worker to the role")
            ]
        } catch {
            return [.error("database", "\(error)", "look at the database's log")]
        }
    }

    private static func clocks(database: Int64, before: Timestamp, after: Timestamp) -> CheckFinding {
        let middle = before.microseconds + (after.microseconds - before.microseconds) / 2
        let milliseconds = abs(database - middle) / 1_000
        let finding = "this clock and the database's differ by about \(milliseconds) ms"
        switch milliseconds {
        case ..<1_000: return .ok("database", finding)
        case ..<30_000: return .warning("database", finding, "synchronise both clocks")
        default:
            return .error(
                "database", finding, "synchronise both clocks: tokens would be valid at times the ledger does not know")
        }
    }

    private static func settings(_ inspection: LedgerInspection, _ file: ConfigurationFile) -> [CheckFinding] {
        func number(_ name: String) -> Int { inspection.settings[name].flatMap { Int($0) } ?? 0 }
        var findings: [CheckFinding] = []
        let version = number("server_version_num")
        findings.append(
            version < 130_000
                ? .error("database", "PostgreSQL \(version / 10_000) is too old", "use 13 or later")
                : .ok("database", "PostgreSQL \(version / 10_000).\(version % 10_000)"))
        let locks = number("max_locks_per_transaction")
        if locks < 128 {
            findings.append(
                .notice(
                    "database", "max_locks_per_transaction is \(locks)",
                    "set it to 128 or more: a query over all day partitions takes a lock on each"))
        }
        for name in ["fsync", "full_page_writes"] where inspection.settings[name] == "off" {
            findings.append(
                .warning(
                    "database", "\(name) is off: a crash can undo what was committed", "switch it on in production"))
        }
        if inspection.settings["synchronous_commit"] == "off" {
            findings.append(
                .error(
                    "database", "synchronous_commit is off: a crash takes back tokens that were delivered",
                    "set it to on, or to remote_apply with a standby"))
        }
        let connections = number("max_connections") - number("superuser_reserved_connections")
        let wanted = max(file.worker.database.poolSize, file.worker.limits.lanes + 4) + 1
        if connections < wanted {
            findings.append(
                .warning(
                    "database", "\(connections) sessions are allowed and one worker may open \(wanted)",
                    "raise max_connections or lower database.pool_size"))
        }
        return findings
    }

    private static func privileges(_ inspection: LedgerInspection) -> [CheckFinding] {
        let missing = inspection.needed.filter { !$0.isHeld }.map { "\($0.kind) on \($0.table)" }
        guard missing.isEmpty else {
            return [
                .error(
                    "database", "role \(inspection.role) lacks \(missing.joined(separator: ", "))",
                    "run `clawgrant ledger roles --apply` as the owner and grant clawgrant_worker to the role")
            ]
        }
        let remedy = "connect as a role that is a member of clawgrant_worker and nothing else"
        if inspection.isSuperuser {
            return [.notice("database", "role \(inspection.role) is a superuser, whom no privilege binds", remedy)]
        }
        let excess = inspection.refused.filter(\.isHeld).map { "\($0.kind) on \($0.table)" }
        return [
            excess.isEmpty
                ? .ok("database", "role \(inspection.role) has what a worker needs and cannot change the record")
                : .notice("database", "role \(inspection.role) has \(excess.joined(separator: ", "))", remedy)
        ]
    }
}
