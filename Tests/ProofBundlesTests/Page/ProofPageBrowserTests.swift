import ClawWire
import Foundation
import ReceiptLog
import Testing

@testable import ProofBundles

/// The page in a browser. Without a Chromium these are skipped.
@Suite(.serialized, .enabled(if: Chromium.program != nil, "no Chromium is installed"))
struct ProofPageBrowserTests {
    /// Loads a page with a test's scripts in it and returns what they told.
    private func told(
        _ bundle: [UInt8], before: String = "", after: String, fragment: String = ""
    ) throws -> JSONValue {
        let script = PageScript.text(before: before, after: PageTampering.tell + "\n" + after)
        let document = try Chromium.document(of: try ProofPage.render(bundle, script: script), fragment: fragment)
        let parts = document.components(separatedBy: #"<pre id="results">"#)
        try #require(parts.count == 2, "the script told nothing")
        let text = (parts[1].components(separatedBy: "</pre>").first ?? "")
            .replacingOccurrences(of: "&lt;", with: "<").replacingOccurrences(of: "&gt;", with: ">")
            .replacingOccurrences(of: "&amp;", with: "&")
        return try JSONReader.parse(Array(text.utf8), limits: ProofPage.limits)
    }

    private func replacing(_ old: String, with new: String, in bundle: [UInt8]) throws -> [UInt8] {
        let parts = String(decoding: bundle, as: UTF8.self).components(separatedBy: old)
        try #require(parts.count == 2, "\(old) stands \(parts.count - 1) times")
        return Array(parts.joined(separator: new).utf8)
    }

    @Test func pageVerifiesItselfOnRequest() throws {
        /// What is built, without style and program, which name every state.
        func built(_ fragment: String) throws -> String {
            let document = try Chromium.document(
                of: try ProofPage.render(try PageSample.plain()), fragment: fragment)
            let parts = document.components(separatedBy: "</style>")
            return parts[0].components(separatedBy: "<style>")[0]
                + (parts.last ?? "").components(separatedBy: "<script type=")[0]
        }
        let document = try built("#verify")
        #expect(document.contains(#"<html lang="en" data-verdict="intact">"#))
        #expect(document.contains("0 failed · 0 not checked"))
        #expect(!document.contains(#"data-state="fail""#))
        let idle = try built("")
        #expect(idle.contains("Not checked yet") && !idle.contains(#"data-state="pass""#))
    }

    /// The assembler's own sample, which the page's program shares no code with.
    private static let assembled = PageSample.folder.deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Samples/run.export.json")

    @Test(.enabled(if: FileManager.default.fileExists(atPath: assembled.path)))
    func assembledSampleHolds() throws {
        let bundle = Array(try Data(contentsOf: Self.assembled))
        let document = try Chromium.document(of: try ProofPage.render(bundle), fragment: "#verify")
        #expect(document.contains(#"<html lang="en" data-verdict="intact">"#))
        #expect(document.contains("0 failed · 0 not checked"))
    }

    @Test func proofBundleAloneIsShownAndSaysWhatIsMissing() throws {
        let export = try JSONReader.parse(try PageSample.plain())
        let bundle = JSONWriter.bytes(try #require(export["artifacts"]?["proof_bundle_envelope"]))
        let document = try Chromium.document(of: try ProofPage.render(bundle), fragment: "#verify")
        #expect(document.contains(#"<html lang="en" data-verdict="intact">"#))
        #expect(document.contains("The file holds no evidence of a receipt log"))
    }

    @Test func eachAlteredThingIsRedAndNothingElse() throws {
        let seals: Set<String> = ["form", "export", "manifest", "bundle", "evidence"]
        let results = try #require(try told(try PageSample.full(), after: PageTampering.eachKind).array)
        #expect(results.count > 40)
        for result in results {
            let name = result["name"]?.string ?? ""
            let expected = result["expected"]?.string ?? ""
            let failed = Set((result["failed"]?.array ?? []).compactMap(\.string))
            if expected.isEmpty {
                #expect(failed.isEmpty && result["verdict"]?.string == "intact", "\(name): \(failed.sorted())")
                continue
            }
            #expect(result["verdict"]?.string == "bad", "\(name)")
            #expect(failed.contains(expected) && failed.contains("export"), "\(name): \(failed.sorted())")
            #expect(failed.subtracting(seals).subtracting([expected]).isEmpty, "\(name): \(failed.sorted())")
        }
    }

    /// What an assembler that signs leaves out or puts in, on the page as on the command line.
    @Test func whatIsWithheldIsTold() throws {
        let sample = try SampleRun.assembled().exportBundle
        let logged = try SampleRun.logged()
        let stated = try SampleRun.logged(change: { $0.calls.removeLast() })
        func silent(_ export: JSONValue) throws -> JSONValue {
            try SampleRun.retold(export) { evidence in
                var statement = evidence["completeness"]?.object ?? [:]
                statement["missing"] = []
                evidence["completeness"] = .object(statement)
            }
        }
        var payload = try SampleRun.approvalEnvelope().payload
        payload["policy_hash_b64u"] = .string(Digest(hashing: "another policy").b64u)
        let other = try SignedEnvelope.sign(
            type: HumanApprovalReceipt.envelopeType, payload: payload, rule: .document,
            signer: SampleRun.signer("approver"), issuedAt: SampleRun.noon)
        func headed(_ head: JSONValue?) throws -> JSONValue {
            try SampleRun.retold(sample) { evidence in
                var revocations = evidence["revocations"]?.object ?? [:]
                revocations["head"] = head
                evidence["revocations"] = .object(revocations)
            }
        }
        let old = String(decoding: try SampleRun.head(at: 119).canonicalBytes, as: UTF8.self)
        let cases: [(name: String, export: JSONValue, verdict: String, rows: [String])] = [
            ("nothing", logged, "verified", []),
            ("a call, stated", stated, "partial", ["skip completeness Stated as missing", "skip completeness Calls"]),
            ("a call, withheld", try silent(stated), "bad", ["fail completeness Calls"]),
            (
                "a late call, stated", try SampleRun.logged([5, 130], change: { $0.calls.removeLast() }), "bad",
                [
                    "skip completeness Stated as missing", "skip completeness Calls",
                    "fail completeness Time of a call",
                ]
            ),
            (
                "a call that the log has not", try SampleRun.logged(leaves: 1), "partial",
                ["skip completeness Stated as missing", "skip call:1 Log"]
            ),
            (
                "the list of set-aside calls", try SampleRun.retold(sample) { $0["gateway_receipts"] = nil }, "bad",
                ["fail completeness Calls set aside"]
            ),
            (
                "the signed approval", try SampleRun.retold(sample) { SampleRun.stripApprovals(&$0) }, "partial",
                ["skip approval:0 Signed approval"]
            ),
            (
                "another policy",
                try SampleRun.assembled(SampleRun.Options(approvalEnvelope: other)).exportBundle, "bad",
                ["fail input:0:0 Policy"]
            ),
            ("the head", try headed(nil), "partial", ["skip head Head of the revocations topic"]),
            ("a young head", try headed(.string(old)), "partial", ["skip head Age of the head"]),
        ]
        let bundles = cases.map { (name: $0.name, export: $0.export) }
        let trust = JSONWriter.text(SampleRun.trustFile)
        let results = try told(try PageSample.plain(), after: PageTampering.verifying(bundles, trust: trust))
        for each in cases {
            let result = results[each.name]
            #expect(result?["verdict"]?.string == each.verdict, "\(each.name)")
            #expect(result?["rows"]?.array?.compactMap(\.string) == each.rows, "\(each.name)")
        }
        // Whoever names no approver asks for no signature of theirs; whoever gives no keys is told all the same.
        var lists = SampleRun.trustFile.object ?? [:]
        lists["approvers"] = []
        let stripped = bundles.filter { $0.name == "the signed approval" }
        func verdict(_ trust: String?) throws -> (String?, Int?) {
            let result = try told(try PageSample.plain(), after: PageTampering.verifying(stripped, trust: trust))
            let only = result["the signed approval"]
            return (only?["verdict"]?.string, only?["rows"]?.array?.count)
        }
        #expect(try verdict(JSONWriter.text(.object(lists))) == ("verified", 0))
        #expect(try verdict(nil) == ("intact", 1))
    }

    @Test func alteredCallIsRedWhereItStands() throws {
        let bundle = try replacing(
            #""tokens_input":20362,"tokens_output":1394"#, with: #""tokens_input":20362,"tokens_output":1395"#,
            in: try PageSample.full())
        let result = try told(bundle, after: PageTampering.redItems, fragment: "#verify")
        #expect(result["verdict"]?.string == "bad")
        #expect(result["call"]?.string == "fail")
        #expect(result["isOpen"]?.bool == true)
        #expect(result["sentence"]?.string?.contains("it was altered") == true)
        #expect(result["others"]?.array == ["Seals over the whole file"])
        #expect(result["title"]?.string?.hasPrefix("Do not rely on this file") == true)
    }

    @Test func readersOwnKeysDecide() throws {
        let trust = String(decoding: try PageSample.trust(), as: UTF8.self)
        let results = try told(try PageSample.plain(), after: PageTampering.pasting(trust))
        func verdict(_ name: String) -> String? { results[name]?["verdict"]?.string }
        #expect(verdict("right") == "verified")
        #expect(results["noGateway"] == ["verdict": "bad", "failed": ["call"]])
        #expect(results["noLog"]?["failed"] == ["checkpoint"])
        #expect(results["noApprover"]?["failed"] == ["input"])
        for name in ["malformed", "unknown", "noKey"] { #expect(verdict(name) == "refused", "\(name)") }
        #expect(try told(try PageSample.full(), after: PageTampering.pasting(trust))["right"]?["verdict"] == "partial")
    }

    @Test(arguments: [
        #"crypto.subtle.importKey = async () => { throw new DOMException("unknown", "NotSupportedError"); };"#,
        #"crypto.subtle.verify = async () => true;"#, #"crypto.subtle.digest = async () => new ArrayBuffer(32);"#,
        #"Object.defineProperty(globalThis, "crypto", { value: {} });"#,
    ])
    func browserThatCannotCheckNeverSaysYes(before: String) throws {
        let after = #"""
            settled().then(() => tell({
              verdict: document.documentElement.dataset.verdict,
              words: document.getElementById("verdict").textContent,
              signed: marks.report.rows.filter((each) => each.what === "Signature" && each.outcome === "pass").length,
            }));
            """#
        let result = try told(try PageSample.plain(), before: before, after: after, fragment: "#verify")
        #expect(result["verdict"]?.string == "unable")
        #expect(result["signed"]?.integer == 0)
        #expect(result["words"]?.string?.contains("This browser") == true)
    }

    @Test func oddValuesAreShownAndNeverBelieved() throws {
        let results = try told(try PageSample.full(), after: PageTampering.oddValues)
        #expect(results["tried"]?.integer ?? 0 > 300)
        #expect(results["wrong"]?.array?.isEmpty == true, "\(JSONWriter.text(results["wrong"] ?? .null))")
    }

    @Test func markupInABundleStaysText() throws {
        let name = #"</script><img src=x onerror=alert(1)><b>\u202Eevil"#
        let bundle = try replacing(
            "Reconcile the February ledger of Harborline Freight, read only", with: name,
            in: try JSONText.withoutRepeats(try PageSample.plain()))
        let before = "let violations = 0; addEventListener(\"securitypolicyviolation\", () => { violations += 1; });"
        let after = #"""
            settled().then(() => tell({
              violations, markup: document.querySelectorAll("img, b").length, scripts: document.scripts.length,
              text: document.body.textContent.includes("<img src=x"), mark: document.body.textContent.includes("⟨U+202E⟩evil"),
            }));
            """#
        let result = try told(bundle, before: before, after: after, fragment: "#verify")
        #expect(result == ["violations": 0, "markup": 0, "scripts": 2, "text": true, "mark": true])
    }

    @Test func massesAreCountedAndNotAllShown() throws {
        let result = try told(try PageSample.full(), after: PageTampering.masses)
        #expect(result["shown"]?.integer == 200)
        #expect(result["note"]?.string?.contains("200 of 5,0") == true, "\(result["note"]?.string ?? "")")
        #expect(result["kept"]?.integer == 5_000)
        #expect(result["verdict"]?.string == "bad")
    }
}

extension JSONText {
    /// The sample with the signed approval in its first grant only, so that its text stands once.
    static func withoutRepeats(_ bundle: [UInt8]) throws -> [UInt8] {
        let summary = "Reconcile the February ledger of Harborline Freight, read only"
        let parts = String(decoding: bundle, as: UTF8.self).components(separatedBy: summary)
        return Array((parts[0] + summary + parts.dropFirst().joined(separator: "again")).utf8)
    }
}
