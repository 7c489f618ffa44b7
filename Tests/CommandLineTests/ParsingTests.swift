import ArgumentParser
import ClawWire
import Foundation
import Testing

@testable import clawgrant

@Suite("The command line")
struct ParsingTests {
    /// Command lines that are well formed, each with the command that they name.
    static let lines: [(line: String, command: String)] = [
        ("run --config a.yaml --dry-run", "RunCommand"),
        ("check --json --offline", "CheckCommand"),
        ("keys generate --purpose token --out token.pem --public-out token.pub --json", "KeysGenerateCommand"),
        ("keys secret --out s", "KeysSecretCommand"),
        ("keys show --config a.yaml --json", "KeysShowCommand"),
        ("keys jwks --purpose receipt --contract", "KeysJWKSCommand"),
        ("topics list --json", "TopicsListCommand"),
        ("topics apply --replication-factor 3 --vendor", "TopicsApplyCommand"),
        ("topics apply --settings --json", "TopicsApplyCommand"), ("topics check", "TopicsCheckCommand"),
        (
            "topics check --principal worker=User:w --principal verifier=User:v --replication-factor 3 --json",
            "TopicsCheckCommand"
        ),
        ("topics plan --replication-factor=-1 --vendor --json", "TopicsPlanCommand"),
        ("topics export --format strimzi --standard --cluster c --namespace n", "TopicsExportCommand"),
        ("topics export --format kafka-acls --role worker --principal worker=User:w", "TopicsExportCommand"),
        (
            "policy openclaw export --wpc w --agent main --layout list --proxy https://p.example",
            "OpenClawExportCommand"
        ),
        ("policy openclaw check c.json --wpc w --signer did:key:z6Mk --approvals a --sarif", "OpenClawCheckCommand"),
        ("ledger migrate --role clawgrant_owner --json", "LedgerMigrateCommand"),
        ("ledger roles --apply", "LedgerRolesCommand"),
        ("ledger status", "LedgerStatusCommand"),
        ("ledger archive --before 2026-01-01", "LedgerArchiveCommand"),
        ("rules check rules.yaml --json", "RulesCheckCommand"),
        ("rules reasons WPC_INVALID", "RulesReasonsCommand"),
        ("demo --source servicenow --json", "DemoCommand"), ("demo --source jira --keep", "DemoCommand"),
        (
            "source map --source entra_audit --mapping m.json --at 2026-11-20T09:00:00Z f.json --json",
            "SourceMapCommand"
        ),
        ("source map f.json", "SourceMapCommand"),
        ("rules test --rules rules.yaml cases more.yaml --json", "RulesTestCommand"),
        ("explain req-1 --json", "ExplainCommand"), ("explain --file c.yaml --rules rules.yaml", "ExplainCommand"),
        (
            "request --job j --class c --agent did:key:z6Mk --scope a --scope b --generate-delivery-key k --sign-key s "
                + "--ttl 60 --print", "RequestCommand"
        ),
        ("request --job j --class c --agent did:key:z6Mk --scope a --plain --topic t", "RequestCommand"),
        (
            "request --job j --class c --agent did:key:z6Mk --scope a "
                + "--claim-key 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "RequestCommand"
        ),
        ("approve chg-1 --approver mina --requester avery --verdict denied --sign-key k", "ApproveCommand"),
        ("approve chg-1 --verdict ended", "ApproveCommand"),
        ("approve chg-1 --approver mina --budget model_calls=5 --budget cost=EUR:500 --print", "ApproveCommand"),
        ("checkpoint show --size 7 --json", "CheckpointShowCommand"),
        ("checkpoint show --cosigned", "CheckpointShowCommand"),
        ("checkpoint store - --trust trust.json", "CheckpointStoreCommand"),
        ("checkpoint cosignatures --json", "CheckpointCosignaturesCommand"),
        ("token show t", "TokenShowCommand"),
        ("token verify --key did:key:z6Mk --audience a --compatible", "TokenVerifyCommand"),
        ("token open --key k --reveal g.json", "TokenOpenCommand"),
        (
            "token check t --audience a --job j --key did:key:z6Mk --log-key k.pub --max-age 5 --json",
            "TokenCheckCommand"
        ),
        ("stop --job-class c --reason r --incident INC-1 --yes --json", "StopDeclareCommand"),
        ("stop --all --action deny_new --reason r --wait converged --timeout 5", "StopDeclareCommand"),
        ("stop --entitlement group:g:member --reason r --by a --by b --id s", "StopDeclareCommand"),
        ("stop --key k --reason r --via-topic --sign-key f", "StopDeclareCommand"),
        ("stop status --json", "StopStatusCommand"),
        ("lift s --by a --by b --approval p --reason r", "LiftCommand"),
        ("lift s --by a --by b --policy-hash GIDqteKPwe8t06-5d1iADSBzBAIhP_VwEKtRsm_V_g8 --reason r", "LiftCommand"),
        ("revoke --jti t --reason r", "RevokeCommand"),
        ("revoke --agent did:key:z6Mk --permit-reapproval --reason r", "RevokeCommand"),
        ("drill --all --reason r", "DrillCommand"),
        (
            "control rotate-policy --job-class c --to GIDqteKPwe8t06-5d1iADSBzBAIhP_VwEKtRsm_V_g8 --running revoke "
                + "--reason r", "RotatePolicyCommand"
        ),
        ("control disable-elevated --all --action deny_new --reason r", "DisableElevatedCommand"),
        ("control enable-elevated --job-class c --reason r", "EnableElevatedCommand"),
        ("control require-proxy --all --reason r", "RequireProxyCommand"),
        ("control release-proxy --all --reason r", "ReleaseProxyCommand"),
        ("control suspect-key k --since 2026-11-20 --reason r", "SuspectKeyCommand"),
        ("control send e.json --sign-key f --wait none", "ControlSendCommand"),
        ("batch verify b.jsonl --log-key did:key:z6Mk --receipt r", "BatchVerifyCommand"),
        ("batch verify --stdin", "BatchVerifyCommand"),
        ("batch prove b.jsonl --grant g.json", "BatchProveCommand"),
        ("tail --from-beginning --stream grants --stream dead-letters --json", "TailCommand"),
        ("completions zsh", "CompletionsCommand"),
        ("demo", "DemoCommand"),
        ("bench", "BenchCommand"),
    ]

    @Test("Every command is reached by its name and takes its options", arguments: lines)
    func wellFormed(_ line: String, _ name: String) throws {
        let command = try Clawgrant.parseAsRoot(line.split(separator: " ").map(String.init))
        #expect("\(type(of: command))" == name)
    }

    @Test(
        "What is missing or contradictory is refused before anything is done",
        arguments: [
            "bogus", "run --jsn", "keys generate --purpose token", "keys generate --purpose tokens --out a",
            "topics apply --replication-factor 0", "topics plan --replication-factor x", "topics export",
            "topics export --format helm", "topics export --format strimzi --role king",
            "topics check --principal worker", "topics check --principal king=User:a",
            "topics check --principal worker=a", "topics check --principal worker=User:a --principal worker=User:b",
            "topics check --replication-factor=-1", "policy openclaw export", "policy openclaw check --wpc w",
            "policy openclaw check c --wpc w --json --sarif", "policy openclaw export --wpc w --policy-hash x",
            "policy openclaw export --wpc w --proxy http://p.example", "policy openclaw export --wpc w --layout map",
            "ledger archive", "explain", "explain req-1 --file c",
            "explain req-1 --rules r", "rules test",
            "request --job j --class c --agent a --scope s",
            "request --job j --class c --agent a --scope s --plain --delivery-key k",
            "request --job j --class c --agent a --scope s --claim-key short",
            "request --job j --class c --agent a --plain", "approve chg-1", "approve chg-1 --approver a --valid-for 0",
            "approve chg-1 --approver a --budget calls=5", "approve chg-1 --approver a --budget model_calls=0",
            "checkpoint store", "checkpoint show --size 1 --cosigned",
            "stop --job-class c", "stop --reason r", "stop --all --agent did:x --reason r", "stop --jti t --reason r",
            "stop --token-hash 00 --reason r", "stop --policy-hash x --reason r", "stop --entitlement x --reason r",
            "stop --agent x --reason r", "stop --all --reason r --wait soon", "stop --all --reason r --timeout 0",
            "stop --all --reason r --via-topic", "stop --all --reason r --sign-key f",
            "stop --all --reason r --via-topic --sign-key f --wait converged", "lift s --by a --approval p --reason r",
            "lift s --by a --by A --approval p --reason r", "lift s --by a --by b --reason r",
            "revoke --all --reason r",
            "revoke --job j --permit-reapproval --reason r", "drill --reason r", "control send",
            "control rotate-policy --job-class c --to x --reason r", "control disable-elevated --reason r",
            "control require-proxy --all --job-class c --reason r", "control suspect-key k --since soon --reason r",
            "token verify t", "token open t", "batch verify", "batch verify b --stdin", "batch prove b",
            "batch prove b --grant g --receipt r", "tail --stream tokens", "completions tcsh",
        ])
    func refused(_ line: String) {
        do {
            _ = try Clawgrant.parseAsRoot(line.split(separator: " ").map(String.init))
            Issue.record("it was taken")
        } catch {
            #expect(Clawgrant.exitCode(for: error) == .validationFailure)
            #expect(!Clawgrant.message(for: error).isEmpty)
        }
    }

    /// The commands of a page: lines of its indented blocks, without comments and what stands behind a pipe.
    static func commands(of page: String) throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appendingPathComponent("docs/\(page)"), encoding: .utf8)
        return text.split(separator: "\n").filter { $0.hasPrefix("    clawgrant ") }.map { line in
            let command = line.dropFirst("    clawgrant ".count)
            let end = command.firstIndex { $0 == "#" || $0 == "|" } ?? command.endIndex
            return command[..<end].trimmingCharacters(in: .whitespaces)
        }
    }

    @Test("Every command of the emergency page is taken as it stands there")
    func emergencyPage() throws {
        let commands = try Self.commands(of: "emergency-stop.md")
        #expect(commands.count > 10)
        for command in commands {
            // Quoted text is one argument.
            let words = command.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                .flatMap { index, part in
                    index.isMultiple(of: 2) ? part.split(separator: " ").map(String.init) : [String(part)]
                }
            #expect(throws: Never.self, "\(command)") { try Clawgrant.parseAsRoot(words) }
        }
    }

    @Test("A token as an argument is refused, and not repeated")
    func tokenAsArgument() {
        let token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln"
        do {
            _ = try Clawgrant.parseAsRoot(["token", "show", token])
            Issue.record("it was taken")
        } catch {
            #expect(!Clawgrant.fullMessage(for: error).contains(token))
            #expect(Clawgrant.message(for: error).contains("revoke"))
        }
    }

    @Test("Exit codes: help and version are successes, misuse is 2")
    func exitCodes() async {
        #expect(await CommandRunner.run(["--version"]) == 0)
        #expect(await CommandRunner.run(["rules", "reasons", "WPC_INVALID"]) == 0)
        #expect(await CommandRunner.run(["bogus"]) == 2)
        #expect(await CommandRunner.run(["bogus", "--json"]) == 2)
        #expect(await CommandRunner.run(["run", "--config", "/nowhere/clawgrant.yaml"]) == 2)
        #expect(await CommandRunner.run(["token", "show", "/nowhere/token"]) == 2)
    }

    @Test("Times are read as instants or days")
    func times() throws {
        #expect(try Timestamp(argument: "2026-11-20").iso8601 == "2026-11-20T00:00:00.000Z")
        #expect(try Timestamp(argument: "2026-11-20T09:00:00+01:00").iso8601 == "2026-11-20T08:00:00.000Z")
        #expect(throws: ValidationError.self) { try Timestamp(argument: "tomorrow") }
    }
}
