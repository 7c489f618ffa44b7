import ClawWire
import Foundation
import OpenClaw
import Testing

/// Existing configurations, one trait at a time.
struct CheckTests {
    private func codes(
        _ text: String, _ policy: OpenClawPolicy? = nil, resolve: @escaping @Sendable (String) -> String = { $0 }
    ) throws -> [String: OpenClawFinding.Severity] {
        let policy = try policy ?? Samples.policy(requiresProxy: false)
        let findings = OpenClawCheck(policy, resolve: resolve).findings(try JSON5Document(text))
        return Dictionary(findings.map { ("\($0.code.rawValue) \($0.pointer)", $0.severity) }) { first, _ in first }
    }

    @Test func anEmptyConfigurationIsOpenClawsOwnAndFarTooWide() throws {
        let found = try codes("{}")
        #expect(found["tools_not_listed /tools/allow"] == .error)
        #expect(found["sandbox_mode /agents/defaults/sandbox/mode"] == .error)
        #expect(found["elevated_not_off /tools/elevated/enabled"] == .error)
        #expect(found["exec_host /tools/exec/host"] == .error)
        #expect(found["exec_host /tools/exec/security"] == .error)
    }

    @Test func whatIsNoConfigurationIsRefused() throws {
        #expect(try codes("[]") == ["setting_malformed /": .error])
    }

    @Test func namesAreComparedWithoutCaseAndByTheirOlderForms() throws {
        let policy = try Samples.policy(allow: ["exec", "automations", "view_image", "read"], requiresProxy: false)
        let found = try codes("{tools: {allow: ['Bash', 'CRON', 'image', 'READ']}}", policy)
        #expect(!found.keys.contains { $0.hasPrefix("tool_allowed") || $0.hasPrefix("tool_unknown") })
        #expect(!found.keys.contains { $0.hasPrefix("tool_missing") })
    }

    @Test func writeBringsApplyPatchUnlessItIsDenied() throws {
        let found = try codes("{tools: {allow: ['read', 'write', 'edit', 'web_fetch', 'process'], deny: ['exec']}}")
        #expect(found["tool_allowed /tools/deny"] == .error)
        let policy = try Samples.policy(allow: ["read", "write", "apply_patch"], requiresProxy: false)
        #expect(try codes("{tools: {allow: ['write', 'read', 'edit']}}", policy)["tool_allowed /tools/deny"] == nil)
    }

    @Test func groupsAreExpandedAndMayGrow() throws {
        let policy = try Samples.policy(allow: ["group:fs"], requiresProxy: false)
        let found = try codes("{tools: {allow: ['group:fs', 'group:web']}}", policy)
        #expect(found["group_allowed /tools/allow/0"] == .warning)
        #expect(found["tool_allowed /tools/allow/1"] == .error)
    }

    @Test func aNameCopiedFromTheContractIsUnknown() throws {
        let found = try codes("{tools: {allow: ['read', 'http'], deny: ['exec_host']}}")
        #expect(found["tool_unknown /tools/allow/1"] == .error)
        #expect(found["tool_unknown /tools/deny/0"] == .notice)
    }

    @Test func fewerToolsAreWorthANotice() throws {
        let policy = try Samples.policy(requiresProxy: false)
        var fragment = JSONValue.object(try Samples.export(policy).fragment)
        fragment = fragment.setting("tools", "allow", to: ["read"])
        let findings = try Samples.check(fragment, policy)
        #expect(findings.map(\.severity) == [.notice, .notice, .notice, .notice])
        #expect(findings.allSatisfy { $0.code == .toolMissing })
    }

    @Test func aMountIsJudgedByWhereItLeads() throws {
        let text = "{agents: {defaults: {sandbox: {mode: 'all', scope: 'session', docker: {binds: ['/srv/x:/x:ro']}}}}}"
        #expect(try !codes(text).keys.contains { $0.hasPrefix("docker_socket") })
        let found = try codes(text) { $0 == "/srv/x" ? "/run/docker.sock" : $0 }
        #expect(found["docker_socket /agents/defaults/sandbox/docker/binds/0"] == .error)
    }

    @Test(arguments: [
        "/srv/u/.docker/run", "/srv/u/.docker", "/run/k3s/containerd", "/proc", "/proc/1/cwd", "/home",
        "/srv/u/.docker/desktop/", "//./pipe/docker_engine", "/run/user/1000", "/var/run/../run/docker.sock",
    ])
    func aFolderThatMayHoldAnEnginesSocketIsRefused(_ path: String) throws {
        let text = "{agents: {defaults: {sandbox: {docker: {binds: ['\(path):/x:ro']}}}}}"
        #expect(try codes(text)["docker_socket /agents/defaults/sandbox/docker/binds/0"] == .error)
    }

    @Test func anEmptyListOfToolsIsNoList() throws {
        #expect(try codes("{tools: {allow: []}}")["tools_not_listed /tools/allow"] == .error)
        let inner = "{tools: {allow: ['read'], sandbox: {tools: {allow: []}}}}"
        #expect(try codes(inner)["tools_not_listed /tools/sandbox/tools/allow"] == .error)
        let denied = "{tools: {allow: ['read'], sandbox: {tools: {allow: [], deny: ['*']}}}}"
        #expect(try codes(denied)["tools_not_listed /tools/sandbox/tools/allow"] == nil)
    }

    @Test func pointersAreEscaped() throws {
        let found = try codes("{agents: {entries: {'a/b~c': {sandbox: {mode: 'off'}}}}}")
        #expect(found["sandbox_mode /agents/entries/a~1b~0c/sandbox/mode"] == .error)
    }

    @Test func theHostsApprovalsMustNotBeLooser() throws {
        let policy = try Samples.policy(requiresProxy: false)
        let fragment = JSONValue.object(try Samples.export(policy).fragment)
        let strict: JSONValue = [
            "version": 1, "defaults": ["security": "deny", "ask": "always", "askFallback": "deny"],
        ]
        #expect(try Samples.check(fragment, policy, approvals: strict).isEmpty)
        for (key, value) in [
            ("security", JSONValue.string("full")), ("ask", "off"), ("askFallback", "full"), ("autoAllowSkills", true),
        ] {
            let loose = try Samples.check(
                fragment, policy, approvals: strict.setting("defaults", key, to: value))
            #expect(loose.map(\.pointer) == ["/exec-approvals.json/defaults/\(key)"])
            let agent = try Samples.check(
                fragment, policy, approvals: strict.setting("agents", "main", key, to: value))
            #expect(agent.map(\.pointer) == ["/exec-approvals.json/agents/main/\(key)"])
        }
        #expect(try Samples.check(fragment, policy, approvals: []).map(\.code) == [.malformed])
    }

    @Test func withoutTheProxysAddressNothingIsSaidOfProviders() throws {
        let policy = try Samples.policy()
        let document = try JSON5Document(try Samples.export(policy).text)
        let findings = OpenClawCheck(policy).findings(document)
        #expect(findings.map(\.code) == [.provider])
        #expect(findings.map(\.severity) == [.warning])
    }

    @Test func everyCodeIsDocumented() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/openclaw.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        for code in OpenClawFinding.Code.allCases {
            #expect(text.contains("`\(code.rawValue)`"), "docs/openclaw.md does not explain \(code.rawValue)")
        }
    }

    @Test func findingsAreASarifLog() throws {
        let findings = try Samples.check(["tools": ["allow": ["exec"]]], try Samples.policy(requiresProxy: false))
        let log = OpenClawFinding.sarif(findings, file: "openclaw.json")
        let run = log["runs"]?.array?.first
        #expect(log["version"] == "2.1.0")
        #expect(run?["results"]?.array?.count == findings.count)
        let rules = Set(run?["tool"]?["driver"]?["rules"]?.array?.compactMap { $0["id"]?.string } ?? [])
        for result in run?["results"]?.array ?? [] {
            #expect(rules.contains(result["ruleId"]?.string ?? ""))
            #expect(["error", "warning", "note"].contains(result["level"]?.string))
        }
    }
}
