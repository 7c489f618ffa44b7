import ApprovalSources
import ClawWire
import IssuanceRules
import Testing

@Suite("Mapping report")
struct MappingTests {
    private static let mapping = SourceMapping(
        tenants: [AuditRecordBuilder.tenant],
        entitlements: EntitlementMap(
            entries: [
                EntitlementMap.Entry(
                    kind: .entraRole, id: AuditRecordBuilder.role, scope: "/", jobClass: JobClass("app_admin"))
            ], maximumTTLSeconds: [JobClass("app_admin"): 3_600]),
        trustedStopSources: ["/soc/harborline"])
    private static let asOf = Timestamp(rfc3339: "2026-11-20T09:10:00Z") ?? Timestamp(seconds: 0)

    private static let approved = AuditRecordBuilder("Add member to role request approved (PIM activation)").with {
        $0.initiatedBy = AuditRecordBuilder.user(
            AuditRecordBuilder.approver, "Mina Castellanos", "mina@harborline.example")
    }
    private static let completed = AuditRecordBuilder("Add member to role completed (PIM activation)").with {
        $0.time = "2026-11-20T09:06:47Z"
        $0.details += [("StartTime", "2026-11-20T09:06:46Z"), ("ExpirationTime", "2026-11-20T10:06:46Z")]
    }

    private static func report(_ value: JSONValue) -> JSONValue {
        MappingReport(JSONWriter.bytes(value), mapping: mapping, asOf: asOf).json
    }

    private static func texts(_ value: JSONValue?, _ key: String) -> [String] {
        (value?.array ?? []).map { $0[key]?.string ?? "-" }
    }

    @Test("A file is a message, a wrapped message, a list of either, or lines")
    func layouts() {
        let envelope: JSONValue = ["records": [Self.approved.json, Self.completed.json]]
        let wrapped: JSONValue = ["kafka": ["topic": "t", "partition": 3, "headers": [:]], "value": envelope]
        for value in [envelope, wrapped] {
            let report = Self.report(value)
            #expect(Self.texts(report["facts"], "fact") == ["decision.approved", "grant.started"])
            #expect(report["facts"]?.array?.first?["message"] == nil)
            #expect(Self.texts(report["outcomes"], "state") == ["granted"])
            #expect(report["outcomes"]?.array?.first?["max_ttl_seconds"]?.integer == 3_406)
        }
        let list = Self.report([wrapped, .string(JSONWriter.text(Self.completed.json)), "not json"])
        #expect(
            Self.texts(list["facts"], "fact") == ["decision.approved", "grant.started", "grant.started", "rejected"])
        #expect(list["facts"]?.array?.map { $0["message"]?.integer } == [0, 0, 1, 2])
        let lines = [Self.approved.json, Self.completed.json].map { JSONWriter.text($0) }.joined(separator: "\n")
        let report = MappingReport(Array("\(lines)\n".utf8), mapping: Self.mapping, asOf: Self.asOf)
        #expect(report.isList)
        #expect(report.facts.map(\.fact.kind) == ["decision.approved", "grant.started"])
    }

    @Test("Any bytes give a report", arguments: ["", "{", "null", "[]", "\u{1}", "a\nb\nc", "{}\n{", "[[],{}]"])
    func anyBytes(text: String) {
        let report = MappingReport(Array(text.utf8), mapping: Self.mapping, asOf: Self.asOf)
        #expect(report.outcomes.isEmpty)
        #expect(report.facts.allSatisfy { $0.fact.kind == "rejected" || $0.fact.kind == "ignored" })
    }

    @Test("Events keep their headers in both layouts of headers")
    func headers() {
        let message = NativeFixtures.decision().message(.binary)
        let pairs: [(String, JSONValue)] = message.headers.map {
            ($0.name, .string(String(decoding: $0.value ?? [], as: UTF8.self)))
        }
        let value = JSONValue.string(String(decoding: message.value ?? [], as: UTF8.self))
        let object: JSONValue = ["kafka": ["headers": .object(JSONObject(pairs))], "value": value]
        let array: JSONValue = [
            "kafka": ["headers": .array(pairs.map { ["key": .string($0.0), "value": $0.1] })], "value": value,
        ]
        for layout in [object, array, NativeFixtures.decision().structuredJSON] {
            #expect(Self.texts(Self.report(layout)["facts"], "source_event_id") == ["dec-1", "dec-1#1"])
        }
    }

    @Test("States are reported after each message")
    func intermediateStates() {
        let report = Self.report([Self.completed.json, Self.approved.json])
        #expect(report["outcomes"]?.array?.first?["intermediate_states"] == ["held", "granted"])
    }

    @Test("A deactivation with a request of its own ends the activation of the same holder")
    func holderEnds() {
        let end = AuditRecordBuilder("Remove member from role completed (PIM deactivate)").with {
            $0.time = "2026-11-20T09:08:00Z"
            $0.details = [("RoleAssignmentRequestId", "00000000-0000-4000-8000-000000000001")]
        }
        let report = Self.report([Self.approved.json, Self.completed.json, end.json])
        #expect(Self.texts(report["outcomes"], "why") == ["deactivated", "deactivated"])
        let someoneElse = end.with {
            $0.targets[2] = AuditRecordBuilder.target("User", AuditRecordBuilder.approver)
        }
        let other = Self.report([Self.approved.json, Self.completed.json, someoneElse.json])
        #expect(Self.texts(other["outcomes"], "state") == ["granted", "ended"])
        let earlier = Self.report([
            Self.approved.json, Self.completed.json, end.with { $0.time = "2026-11-19T09:00:00Z" }.json,
        ])
        #expect(Self.texts(earlier["outcomes"], "state") == ["granted", "ended"])
        let invalidated = AuditRecordBuilder("Disable account").with {
            $0.service = "Core Directory"
            $0.time = "2026-11-20T09:09:00Z"
        }
        let gone = Self.report([Self.approved.json, Self.completed.json, invalidated.json])
        #expect(Self.texts(gone["outcomes"], "state") == ["ended"])
        #expect(gone["outcomes"]?.array?.first?["revoke"] == true)
    }

    // MARK: Stops

    private static func event(_ type: String, _ data: JSONValue, at time: String) -> JSONValue {
        CloudEvent(
            id: "event-\(time)", source: "/soc/harborline", type: type, time: Timestamp(rfc3339: time),
            data: .json(data)
        ).structuredJSON
    }

    private static func stop(_ scope: JSONValue) -> JSONValue {
        event(
            EventType.stopDeclared,
            ["stop_id": "s1", "scope": scope, "action": "revoke_and_deny", "declared_by": ["id": "jonas"]],
            at: "2026-11-20T09:07:00Z")
    }

    private static func lift(_ people: [String], reapproval: JSONValue = ["approval_id": "a"]) -> JSONValue {
        event(
            EventType.stopLifted,
            [
                "stop_id": "s1", "lifted_by": .array(people.map { ["id": .string($0)] as JSONValue }),
                "reapproval": reapproval,
            ], at: "2026-11-20T09:08:00Z")
    }

    @Test("A stop holds the approvals in its scope")
    func stopHolds() {
        let messages = [Self.approved.json, Self.completed.json]
        let mine = Self.report(.array(messages + [Self.stop(["kind": "job_class", "value": "app_admin"])]))
        #expect(Self.texts(mine["outcomes"], "why") == ["stopped"])
        #expect(mine["outcomes"]?.array?.first?["issue"] == false)
        #expect(Self.texts(mine["stops"], "state") == ["active"])
        let other = Self.report(.array(messages + [Self.stop(["kind": "job_class", "value": "other"])]))
        #expect(Self.texts(other["outcomes"], "state") == ["granted"])
    }

    @Test(
        "A lift needs two people who did not declare the stop, and fresh authority",
        arguments: [
            (["mina", "avery"], ["approval_id": "a"], "lifted", nil),
            (["mina", "mina"], ["approval_id": "a"], "active", "lift_needs_two_people"),
            (["mina"], ["approval_id": "a"], "active", "lift_needs_two_people"),
            (["mina", "jonas"], ["approval_id": "a"], "active", "lifted_by_declarer"),
            (["mina", "avery"], [:], "active", "lift_needs_reapproval"),
        ] as [([String], JSONValue, String, String?)])
    func lifts(people: [String], reapproval: JSONValue, state: String, why: String?) {
        for messages in [
            [Self.stop(["kind": "all"]), Self.lift(people, reapproval: reapproval)],
            [Self.lift(people, reapproval: reapproval), Self.stop(["kind": "all"])],
        ] {
            let stops = Self.report(.array(messages))["stops"]
            #expect(Self.texts(stops, "state") == [state])
            #expect(stops?.array?.first?["why"]?.string == why)
        }
    }

    @Test("A lift does not revive what was decided before it")
    func liftRevivesNothing() {
        let report = Self.report([
            Self.approved.json, Self.completed.json, Self.stop(["kind": "all"]), Self.lift(["mina", "avery"]),
        ])
        #expect(Self.texts(report["outcomes"], "why") == ["decided_before_lift"])
    }

    @Test("Kinds are named as people write them")
    func kinds() {
        for name in ["jsm", "jira", "Jira"] { #expect(SourceConfiguration.Kind(name: name) == .jsm) }
        for name in ["ssf", "shared-signals", "caep"] {
            #expect(SourceConfiguration.Kind(name: name) == .sharedSignals)
        }
        for name in ["entra_audit", "entra-audit", "entra.audit", "Entra"] {
            #expect(SourceConfiguration.Kind(name: name) == .entraAudit)
        }
        for kind in SourceConfiguration.Kind.allCases { #expect(SourceConfiguration.Kind(name: kind.rawValue) == kind) }
        #expect(SourceConfiguration.Kind(name: "carrier-pigeon") == nil)
    }

    // MARK: Mapping files

    @Test("A mapping is read, and compared without case")
    func mappingFile() throws {
        let document = try JSONReader.parse(
            #"""
            {"tenants":{"AB":"x"},"unrelated":1,
             "entitlements":[{"kind":"group","id":"G","scope":"Member","job_class":"c","min_human_approvers":2},
                             {"kind":"change_request","id":"u_class","scope":null,"job_class":"*value-of-field*"}],
             "job_classes":{"c":{"max_ttl_seconds":60}},"stops":{"trusted_sources":["/soc"]}}
            """#)
        let mapping = try SourceMapping(document)
        #expect(mapping.tenants == ["ab"])
        #expect(mapping.trustedStopSources == ["/soc"])
        #expect(mapping.jobClass(of: Entitlement(kind: .group, id: "g", scope: "MEMBER")) == JobClass("c"))
        #expect(mapping.jobClass(of: Entitlement(kind: .group, id: "g", scope: "owner")) == nil)
        #expect(mapping.jobClass(of: Entitlement(kind: .changeRequest, id: "U_CLASS")) == nil)
        #expect(mapping.entitlements.maximumTTLSeconds(of: JobClass("c")) == 60)
    }

    @Test(
        "A mapping at fault names the member",
        arguments: [
            ("[]", ""), (#"{"entitlements":{}}"#, "entitlements"),
            (#"{"entitlements":[{"kind":"x"}]}"#, "entitlements[0].kind"),
            (#"{"entitlements":[{"kind":"group","id":"g"}]}"#, "entitlements[0].job_class"),
            (#"{"job_classes":{"c":{"max_ttl_seconds":0}}}"#, "job_classes.c.max_ttl_seconds"),
        ])
    func mappingFaults(text: String, field: String) throws {
        let document = try JSONReader.parse(text)
        #expect {
            try SourceMapping(document)
        } throws: { ($0 as? SourceFault)?.field == field }
    }
}
