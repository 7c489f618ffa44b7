import ClawWire
import DevStack
import Foundation
import GrantWorker
import IssuanceRules
import Playground
import Postgres
import SecureFront
import Testing

/// The console in a browser. Without a Chromium these are skipped.
@Suite(
    "The console in a browser", .serialized,
    .enabled(if: BrokerTools.find().has(.noida) && Chromium.program != nil, "no broker or no Chromium"),
    .timeLimit(.minutes(10)))
struct ConsoleBrowserTests {
    private static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(name).path
    }

    @Test func worksByKeyboardShowsTextAsTextAndSaysWhenItIsStale() async throws {
        try await PlayedConsole.with { console in
            let seen = try await look(at: console)
            try #require(seen["trouble"] == nil, "\(JSONWriter.text(seen))")
            #expect(seen["messages"] == [] && seen["violations"] == [] && seen["strangers"] == [])
            #expect(seen["data_before_sign_in"] == 0 && seen["token_is_forgotten"] == true)
            #expect(seen["banner"]?.string?.hasPrefix("PARTLY STOPPED: job_class:prod_deploy") == true)
            #expect(seen["rows"] == 9)
            textStaysText(seen)
            keysWork(seen)
            #expect(
                seen["titles"] == [
                    "Decisions", "Stops and cut-offs", "Waiting requests", "Live grants", "Log and outputs",
                    "Sources and inputs", "Workers and leases", "Findings and dead letters",
                ])
            #expect(seen["unnamed"] == [] && seen["unnamed_with_detail"] == [])
            #expect(seen["wider_than_a_telephone"] == 0)
            #expect(seen["stale"]?.string?.hasPrefix("Not up to date: the last answer came at ") == true)
            #expect(seen["rows_while_stale"] == 9)
            #expect(seen["data_after_sign_out"] == 0 && seen["session_after_sign_out"] == .null)
        }
    }

    private func textStaysText(_ seen: JSONValue) {
        #expect(seen["markup"] == 0 && seen["markup_in_detail"] == 0)
        #expect(seen["hostile_person_is_text"] == true && seen["hostile_reason_is_text"] == true)
    }

    private func keysWork(_ seen: JSONValue) {
        #expect(seen["filtered"] == "req-two")
        #expect(seen["match"] == "Named exactly:req-two by its approval")
        #expect(seen["left_the_field"] == true && seen["current_row"] == true)
        let story = seen["story"]?.string ?? ""
        #expect(story.contains("A token was issued for the request req-one") && story.contains("Position in the log"))
        #expect(seen["links"]?.array?.first?.string?.hasPrefix("/v1/proofs/inclusion/") == true)
        #expect(seen["detail_has_focus"] == true && seen["focus_came_back"] == "req-one")
        #expect(seen["theme"] == "dark" && seen["theme_goes_round"] == "auto" && seen["help"] == true)
        let tabbed = Set((seen["tabbed"]?.array ?? []).compactMap(\.string))
        let stops = ["skip", "theme", "help-button", "sign-out", "f-text", "f-outcome", "pause", "row"]
        #expect(tabbed.isSuperset(of: stops))
        #expect(seen["focus_is_seen"] == "3px")
    }

    /// The form of a stop, with a certificate of a client on the connection and the scope typed by hand.
    @Test
    func stopsWithACertificateAndTheTypedScope() async throws {
        try await PlayedConsole.with(isSecure: true) { settings, certificates in
            guard let certificates else { return }
            settings.stoppers = [
                try PlayedConsole.thumbprint(certificates.client.certificate): PlaygroundCast.paloma.id
            ]
        } _: { console in
            let certificates = try #require(console.certificates)
            let seen = try await look(
                at: console, "browser_stop.py",
                [certificates.client.certificate, certificates.client.key, certificates.authority])
            try #require(seen["trouble"] == nil, "\(JSONWriter.text(seen))")
            for kind in ["messages", "violations", "strangers"] {
                #expect(seen[kind] == [], "\(JSONWriter.text(seen[kind] ?? .null))")
            }
            #expect(seen["forms_without_a_certificate"] == 0)
            #expect(seen["without_a_certificate"]?.string?.contains("takes a client certificate") == true)
            #expect(seen["who"] == "soc, by certificate")
            let plan = seen["plan"]?.string ?? ""
            #expect(plan.contains("Stop of job_class:ledger_reconcile"), "\(plan)")
            #expect(plan.contains("3 live tokens, void from then on"), "\(plan)")
            #expect(seen["typed_has_focus"] == true)
            #expect(seen["fires_untyped"] == false && seen["fires_half_typed"] == false)
            #expect(seen["fired_half_typed"] == false && seen["fires_typed"] == true)
            #expect(seen["done"]?.string?.contains("STOPPED") == true)
            #expect(seen["markup"] == 0 && seen["unnamed"] == [])
            let event = try await console.playground.query(
                "SELECT convert_from(body, 'UTF8') FROM clawgrant.control_event ORDER BY position DESC LIMIT 1")
            let text = try event.string(0, 0)
            for expected in [PlaygroundCast.paloma.id.rawValue, "INC-88", "ledger_reconcile"] {
                #expect(text.contains(expected), "\(expected)")
            }
        }
    }

    private func look(
        at console: PlayedConsole, _ script: String = "browser.py", _ more: [String] = []
    ) async throws -> JSONValue {
        let home = try TemporaryDirectory(prefix: "claw-pictures")
        defer { home.close() }
        let kept = ProcessInfo.processInfo.environment["CLAWGRANT_PICTURES"]
        let output = try await Command.output(
            of: ManagedProcess.Configuration(
                executable: "python3",
                arguments: [
                    "-B", Self.script(script), try #require(Chromium.program), console.address, PlayedConsole.reader,
                    kept ?? home.path, PlayedConsole.hostileReason,
                ] + more), within: .seconds(240))
        return try JSONReader.parse(Array(output.utf8))
    }
}

/// A headless Chromium, where one is installed.
enum Chromium {
    /// The program: `CLAWGRANT_CHROMIUM`, else the first that PATH has.
    static let program: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["CLAWGRANT_CHROMIUM"] { return named }
        let folders = (environment["PATH"] ?? "/usr/bin").split(separator: ":").map(String.init)
        return folders.map { "\($0)/chromium" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()
}
