import GrantWorker
import Kafka
import Testing

@Suite("Access to the topics")
struct TopicAccessTests {
    private let plan = AccessPlan(.standard)

    private func bindings(_ principals: [AccessRole: String]) -> [AccessBinding] {
        principals.flatMap { role, principal in plan.rules(for: role).flatMap { $0.bindings(for: principal) } }
    }

    private func told(_ principals: [AccessRole: String], _ bindings: [AccessBinding]) -> [String] {
        plan.findings(principals: principals, bindings: bindings).map { "\($0.severity.rawValue) \($0.summary)" }
    }

    @Test("Nobody but a worker may write an output, and no one role may both declare a stop and be the worker")
    func separation() {
        for entry in TopicCatalog.standard.entries {
            let writers = AccessRole.allCases.filter {
                AccessPlan.operations(of: $0, on: entry).contains(.write)
            }
            switch entry.role {
            case .output, .statusLists, .securityEvents, .signals: #expect(writers == [.worker])
            case .control: #expect(writers == [.securityOperator])
            case .input, .vendor, .gatewayReceipts, .policies: #expect(!writers.contains(.worker))
            }
        }
        for role in AccessRole.allCases where role != .administrator {
            for rule in plan.rules(for: role) {
                #expect(Set(rule.operations).isSubset(of: [.read, .write, .describe]), "\(role)")
            }
        }
        #expect(plan.rules(for: .auditor).allSatisfy { $0.operations == [.read] })
    }

    @Test("Workers also join a group and publish under their transactional identities, when they do")
    func groups() {
        let resources = plan.rules(for: .worker).map(\.resource)
        #expect(resources.contains(.group("clawgrant")))
        #expect(resources.contains(.transactionalIDs(prefix: "clawgrant-")))
        let other = AccessPlan(.standard, group: "g", usesTransactions: false).rules(for: .worker).map(\.resource)
        #expect(other.contains(.group("g")))
        #expect(!other.contains(.transactionalIDs(prefix: "clawgrant-")))
    }

    @Test("What was asked for is enough, for all roles at once")
    func enough() {
        let principals = Dictionary(uniqueKeysWithValues: AccessRole.allCases.map { ($0, $0.standardPrincipal) })
        #expect(told(principals, bindings(principals)).isEmpty)
    }

    @Test("Each rule that is missing is found, unless it follows from another", arguments: AccessRole.allCases)
    func missing(role: AccessRole) {
        let principals = [role: "User:p"]
        let all = bindings(principals)
        for (index, rule) in all.enumerated() {
            var rest = all
            rest.remove(at: index)
            let isImplied = rest.contains {
                $0.resourceType == rule.resourceType && $0.name == rule.name
                    && (rule.operation == .describe && [.read, .write].contains($0.operation)
                        || rule.operation == .describeConfigs && $0.operation == .alterConfigs)
            }
            let findings = plan.findings(principals: principals, bindings: rest)
            #expect(findings.map(\.binding) == (isImplied ? [] : [rule]))
            #expect(findings.allSatisfy { $0.kind == .notAllowed && $0.severity == .error })
        }
    }

    @Test("Rules for all, for prefixes, for everybody and for every operation count; another principal's do not")
    func wide() {
        let principals: [AccessRole: String] = [.verifier: "User:gw"]
        func rule(
            _ name: String, _ pattern: AccessBinding.Pattern = .literal, _ principal: String = "User:gw",
            _ operation: AccessBinding.Operation = .read, host: String = "*", isAllowed: Bool = true
        ) -> AccessBinding {
            AccessBinding(
                resourceType: .topic, name: name, pattern: pattern, principal: principal, host: host,
                operation: operation, isAllowed: isAllowed)
        }
        for good in [
            rule("*"), rule("claw.", .prefixed), rule("claw.revocations.v1", .literal, "User:*"),
            rule("claw.revocations.v1"),
        ] {
            #expect(told(principals, [good]).isEmpty, "\(good)")
        }
        for bad in [
            rule("claw.revocations"), rule("claw.x", .prefixed), rule("claw.revocations.v1", .literal, "User:gw2"),
            rule("claw.revocations.v1", .literal, "User:gw", .describe), rule("claw.revocations.v1", .other),
        ] {
            #expect(told(principals, [bad]) == ["error User:gw (verifier) may not Read on topic claw.revocations.v1"])
        }
        #expect(
            told(principals, [rule("*"), rule("claw.", .prefixed, "User:*", .all, isAllowed: false)]) == [
                "error User:gw (verifier) is forbidden Read on topic claw.revocations.v1"
            ])
        #expect(
            told(principals, [rule("*", host: "192.0.2.1")]) == [
                "notice User:gw (verifier) may Read on topic claw.revocations.v1 from 192.0.2.1 alone"
            ])
    }

    @Test("A right to write that the role does not need is found, once for a principal of several roles")
    func needless() {
        let principals: [AccessRole: String] = [.verifier: "User:gw", .auditor: "User:gw"]
        let extra = AccessBinding(
            resourceType: .topic, name: "claw.grants.v1", principal: "User:gw", operation: .write)
        let findings = plan.findings(principals: principals, bindings: bindings(principals) + [extra])
        #expect(findings.map(\.code) == ["access_needless"])
        #expect(findings.map(\.severity) == [.warning])
        #expect(told([.requester: "User:p"], bindings([.requester: "User:p"])).isEmpty)
    }

    @Test("Rules about transactional identities are seen though Debian's librdkafka has no name for them")
    func transactional() {
        let principals: [AccessRole: String] = [.worker: "User:w"]
        let seen = bindings(principals).map { binding -> AccessBinding in
            var binding = binding
            if binding.resourceType == .transactionalID { binding.resourceType = .other }
            return binding
        }
        #expect(told(principals, seen).isEmpty)
    }
}
