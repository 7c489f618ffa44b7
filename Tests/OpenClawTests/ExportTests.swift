import ClawWire
import OpenClaw
import Testing

struct ExportTests {
    @Test func theRunbooksContractBecomesItsFragment() throws {
        let policy = try Samples.policy()
        let fragment = JSONValue.object(try Samples.export(policy).fragment)
        #expect(fragment["tools"]?["allow"] == ["edit", "process", "read", "web_fetch", "write"])
        let denied = Set(fragment["tools"]?["deny"]?.array?.compactMap(\.string) ?? [])
        #expect(
            denied == [
                "apply_patch", "exec", "code_execution", "web_search", "x_search", "group:agents", "group:automation",
                "group:media", "group:memory", "group:messaging", "group:nodes", "group:plugins", "group:sessions",
                "group:ui",
            ])
        #expect(fragment["tools"]?["elevated"] == ["enabled": false])
        #expect(fragment["tools"]?["exec"]?["host"] == "sandbox")
        #expect(fragment["tools"]?["sandbox"]?["tools"]?["allow"] == fragment["tools"]?["allow"])
        let sandbox = fragment["agents"]?["defaults"]?["sandbox"]
        #expect(sandbox?["mode"] == "all")
        #expect(sandbox?["docker"]?["network"] == "none")
        #expect(sandbox?["docker"]?["binds"] == [])
        #expect(fragment["models"]?["providers"]?["clawproxy"]?["baseUrl"]?.string == Samples.proxy)
    }

    /// OpenClaw takes an empty list for no list: everything that is not denied.
    @Test func aContractThatAllowsNothingDeniesEverything() throws {
        let policy = try Samples.policy(allow: [], requiresProxy: false)
        let fragment = JSONValue.object(try Samples.export(policy, agents: ["main"]).fragment)
        let places = [
            fragment["tools"], fragment["tools"]?["sandbox"]?["tools"],
            fragment["agents"]?["entries"]?["main"]?["tools"],
        ]
        for tools in places {
            #expect(tools?["allow"] == [])
            #expect(tools?["deny"]?.array?.first == "*")
        }
        #expect(try Samples.faults(fragment, policy).isEmpty)
    }

    @Test func theTextIsTheFragmentUnderTheHashOfItsContract() throws {
        for agents in [[], ["main"], ["main", "a.b/c"]] {
            for layout in OpenClawExport.AgentLayout.allCases {
                let export = try Samples.export(try Samples.policy(), agents: agents, layout: layout)
                let document = try JSON5Document(export.text)
                #expect(document.value == .object(export.fragment))
                #expect(document.comments.first?.contains(try Samples.contract().policyHash.b64u) == true)
                #expect(export.text.split(separator: "\n").allSatisfy { $0.utf8.count <= 120 })
            }
        }
    }

    @Test func agentsRepeatTheSettingsInEitherForm() throws {
        let policy = try Samples.policy()
        let entries = JSONValue.object(try Samples.export(policy, agents: ["main"]).fragment)
        #expect(entries["agents"]?["entries"]?["main"]?["sandbox"]?["mode"] == "all")
        #expect(entries["agents"]?["entries"]?["main"]?["tools"]?["elevated"] == ["enabled": false])
        let list = JSONValue.object(try Samples.export(policy, agents: ["main"], layout: .list).fragment)
        #expect(list["agents"]?["list"]?.array?.first?["id"] == "main")
        #expect(list["agents"]?["list"]?.array?.first?["tools"] == entries["agents"]?["entries"]?["main"]?["tools"])
    }

    @Test(
        "A name without a mapping is refused, and so is what cannot be bounded",
        arguments: [
            ("http_post", "unmapped"), ("Read ", "unmapped"), ("READ_FILE", "unmapped"), ("exec_host", "not_allowable"),
            ("docker_socket", "not_allowable"), ("*", "not_allowable"), ("group:plugins", "not_allowable"),
            ("group:openclaw", "not_allowable"), ("web_*", "not_allowable"), ("group:future", "unmapped"),
        ])
    func refusedNames(_ name: String, _ code: String) throws {
        do {
            _ = try Samples.policy(allow: ["read", name])
            Issue.record("\(name) was taken")
        } catch let error as OpenClawError {
            #expect(error.code.rawValue == code)
            #expect(error.name == name)
            #expect(error.description.contains(name))
        }
    }

    @Test func aDenialWithoutAMappingIsRefusedToo() throws {
        #expect(throws: OpenClawError.self) { try Samples.policy(deny: ["exec_hosts"]) }
        #expect(throws: OpenClawError.self) { try Samples.policy(deny: ["filesystem_mount_rw"]) }
    }

    @Test func aContractThatSaysNothingOfToolsIsRefused() throws {
        #expect(throws: OpenClawError.self) { try Samples.policy(allow: nil) }
        let bare = try WorkPolicyContract(["policy_version": "1", "policy_id": "p", "issuer_did": "did:web:a.example"])
        #expect(throws: OpenClawError.self) { try OpenClawPolicy(bare) }
    }

    @Test func aCarriedContractIsReadLikeABareOne() throws {
        let bare = try Samples.contract()
        let carried = try WorkPolicyContract.carrying(
            runbook: bare.document, policyID: "p", issuerDID: "did:web:a.example")
        #expect(try OpenClawPolicy(carried).allowed == OpenClawPolicy(bare).allowed)
        #expect(try OpenClawPolicy(carried).hash == carried.policyHash)
    }

    @Test func groupsAreExpandedAndDenialsWin() throws {
        let policy = try Samples.policy(
            allow: ["group:fs", "group:web", "session_status"], deny: ["write", "x_search"])
        #expect(policy.allowed == ["read", "web_search", "web_fetch", "session_status"])
        let denied = Set(try Samples.export(policy).fragment["tools"]?["deny"]?.array?.compactMap(\.string) ?? [])
        #expect(denied.isSuperset(of: ["write", "edit", "apply_patch", "x_search", "sessions_send", "group:runtime"]))
        #expect(!denied.contains("group:fs"))
    }

    @Test func withoutASandboxRequirementNoneIsExported() throws {
        let policy = try Samples.policy(deny: [], sandbox: false, requiresProxy: false)
        let fragment = JSONValue.object(try Samples.export(policy).fragment)
        #expect(fragment["agents"]?["defaults"]?["sandbox"] == nil)
        #expect(fragment["models"] == nil)
        #expect(fragment["tools"]?["elevated"]?["enabled"] == false)
    }

    @Test func aProxyThatIsRequiredMustBeNamed() throws {
        #expect(throws: OpenClawError.self) { try OpenClawExport(try Samples.policy()) }
    }
}
