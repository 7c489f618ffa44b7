import ApprovalSources
import ClawWire
import IssuanceRules
import TestSupport
import Testing

@Suite("Reading of audit records")
struct EntraReadingTests {
    private typealias Builder = AuditRecordBuilder
    private static let approved = AuditRecordBuilder("Add member to role request approved (PIM activation)").with {
        $0.initiatedBy = AuditRecordBuilder.user(
            AuditRecordBuilder.approver.uppercased(), "Mina Castellanos", "mina.castellanos@harborline.example")
    }
    private static let completed = AuditRecordBuilder("Add member to role completed (PIM activation)").with {
        $0.details += [("StartTime", "2026-11-20T09:06:46.932Z"), ("ExpirationTime", "2026-11-20T10:06:46.932Z")]
    }

    private static func why(_ fact: Fact?) -> String? { fact.map(EntraActivityTests.summary) }

    // MARK: Times

    @Test(
        "Every time format of the stream",
        arguments: [
            ("2026-11-20T09:06:41Z", "2026-11-20T09:06:41Z"),
            ("2026-11-20T09:06:41.0448812Z", "2026-11-20T09:06:41.044881Z"),
            ("2026-11-20T09:06:41.000000001+00:00", "2026-11-20T09:06:41Z"),
            ("2026-11-20T10:06:41.5+01:00", "2026-11-20T09:06:41.5Z"),
            ("2026-11-20T09:06:41", "2026-11-20T09:06:41Z"),
            ("2026-11-20T09:06:41.25", "2026-11-20T09:06:41.25Z"),
            ("11/20/2026 9:06:41 AM", "2026-11-20T09:06:41Z"),
            ("11/20/2026 9:06:41\u{202F}AM", "2026-11-20T09:06:41Z"),
            ("11/20/2026\u{A0}9:06:41 AM", "2026-11-20T09:06:41Z"),
            ("11/20/2026 4:00:04 PM +00:00", "2026-11-20T16:00:04Z"),
            ("11/20/2026 17:00:04", "2026-11-20T17:00:04Z"),
            ("1/2/2026 12:00:00 AM", "2026-01-02T00:00:00Z"),
            ("1/2/2026 12:30:00 pm", "2026-01-02T12:30:00Z"),
            ("11/20/2026 09:06:41.1234567 +01:00", "2026-11-20T08:06:41.123456Z"),
        ])
    func times(text: String, instant: String) throws {
        let fact = try #require(Self.approved.with { $0.time = .string(text) }.fact())
        #expect(fact.kind == "decision.approved")
        #expect(fact.occurredAt == Timestamp(rfc3339: instant))
    }

    @Test(
        "A time that does not parse rejects the entry and never becomes the present",
        arguments: [
            "", "yesterday", "20/11/2026 9:06:41 AM", "11/20/2026", "2026-11-20", "11/20/2026 13:00:00 PM",
            "11/20/2026 0:00:00 AM", "2026-13-40T00:00:00Z", "1795165600", "2026-11-20T09:06", "11/20/2026 9:06:41 XM",
            "2026-11-20T09:06:41+1:00",
        ])
    func unparseableTimes(text: String) {
        let fact = Self.approved.with { $0.time = .string(text) }.fact()
        #expect(Self.why(fact) == "rejected unparseable_time")
        #expect(fact?.occurredAt == nil)
        let late = Self.completed.with { $0.details[2].1 = text.isEmpty ? "x" : text }.fact()
        #expect(Self.why(late) == "rejected unparseable_time")
    }

    @Test("A missing time rejects the entry; a missing end of the window does not")
    func missingTimes() throws {
        #expect(Self.why(Self.approved.with { $0.time = .null }.fact()) == "rejected unparseable_time")
        let fact = try #require(Self.completed.with { $0.details.removeLast() }.fact())
        #expect(
            fact.content
                == .grantStarted(notBefore: Timestamp(rfc3339: "2026-11-20T09:06:46.932Z"), notAfter: nil))
    }

    // MARK: The request

    @Test("The request is read from the details by either key in any case, else from its target")
    func requestID() throws {
        let other = "11111111-2222-4333-8444-555555555555"
        let prefix = "entra-pim/\(Builder.tenant)/"
        let upper = Self.approved.with { $0.details = [("roleassignmentrequestid", other.uppercased())] }
        #expect(upper.fact()?.approvalID?.rawValue == prefix + other)
        let older = Self.approved.with { $0.details = [("RequestId", other)] }
        #expect(older.fact()?.approvalID?.rawValue == prefix + other)
        let both = Self.approved.with {
            $0.details = [("RequestId", other), ("RoleAssignmentRequestId", Builder.request)]
        }
        #expect(both.fact()?.approvalID?.rawValue == prefix + Builder.request)
        let target = Self.approved.with { $0.details = [] }
        #expect(target.fact()?.approvalID?.rawValue == prefix + Builder.request)
        let none = Self.approved.with {
            $0.details = []
            $0.targets.remove(at: 1)
        }
        #expect(Self.why(none.fact()) == "rejected no_request_id")
        #expect(none.fact()?.approvalID == nil)
    }

    @Test("An end without a request counts by subject and entitlement, and is rejected without them")
    func endWithoutRequest() throws {
        let end = Builder("Remove member from role (PIM activation expired)").with {
            $0.details = []
            $0.targets.remove(at: 1)
        }
        let fact = try #require(end.fact())
        #expect(fact.content == .grantEnded(.expired))
        #expect(fact.approvalID == nil)
        #expect(Self.why(end.with { $0.targets.remove(at: 1) }.fact()) == "rejected no_subject")
        #expect(Self.why(end.with { $0.targets.remove(at: 0) }.fact()) == "rejected no_entitlement")
    }

    // MARK: People

    @Test("The approver is the initiator, in lower case")
    func approver() throws {
        let fact = try #require(Self.approved.fact())
        let mina = Actor(
            id: PersonID(Builder.approver), name: "Mina Castellanos", upn: "mina.castellanos@harborline.example")
        #expect(fact.content == .decisionApproved(approver: mina))
        #expect(fact.requester == nil)
        #expect(fact.subject?.id.rawValue == Builder.subject)
    }

    @Test("The platform is no person")
    func platform() throws {
        let nameless = Self.approved.with { $0.initiatedBy = Builder.user(Builder.approver, "Azure AD PIM", nil) }
        let app = Self.approved.with {
            $0.initiatedBy = [
                "app": ["servicePrincipalId": "838A06EA-0000-4000-8000-000000000000", "displayName": "MS-PIM"]
            ]
        }
        for record in [nameless, app] {
            guard case .decisionApproved(let approver) = record.fact()?.content else {
                Issue.record("an approval was expected")
                continue
            }
            #expect(approver?.kind == .system)
        }
        let long = Self.approved.with {
            $0.initiatedBy = ["app": ["displayName": .string(String(repeating: "\u{1F7E5}", count: 1_024))]]
        }
        guard case .decisionApproved(let system?) = long.fact()?.content else {
            Issue.record("an approval was expected")
            return
        }
        #expect(system.id.rawValue.utf8.count == 512 && system.name?.utf8.count == 1_024)
        let nobody = Self.approved.with { $0.initiatedBy = .null }
        #expect(nobody.fact()?.content == .decisionApproved(approver: nil))
    }

    @Test("The subject is the target of type User wherever it stands, else a service principal or a holding group")
    func subject() throws {
        let reversed = Self.approved.with { $0.targets.reverse() }
        #expect(reversed.fact()?.subject?.id.rawValue == Builder.subject)
        let principal = Self.approved.with {
            $0.targets[2] = Builder.target("ServicePrincipal", Builder.approver, "Job runner")
        }
        #expect(
            principal.fact()?.subject == Actor(id: PersonID(Builder.approver), name: "Job runner", kind: .system))
        let group = Self.approved.with { $0.targets[2] = Builder.target("Group", Builder.group, "Operators") }
        #expect(group.fact()?.subject?.id.rawValue == Builder.group)
        #expect(group.fact()?.entitlement?.kind == .entraRole)
    }

    // MARK: Entitlements

    @Test("A group entitlement is the group with the role's name as scope")
    func group() throws {
        let member = Self.approved.with {
            $0.category = "GroupManagement"
            $0.targets = Builder.groupTargets
        }
        #expect(
            member.fact()?.entitlement
                == Entitlement(
                    kind: .group, id: Builder.group, scope: "member", name: "claw-jobs-prod-db-maintenance"))
        let owner = member.with { $0.targets[0] = Builder.target("Role", "x", "Owner") }
        #expect(owner.fact()?.entitlement?.scope == "owner")
        let unknown = member.with { $0.targets.remove(at: 0) }
        #expect(unknown.fact()?.entitlement?.scope == nil)
    }

    @Test("An Azure role has the scope that the record states exactly, or none")
    func azure() throws {
        let base = Self.approved.with {
            $0.category = "ResourceManagement"
            $0.targets = [
                Builder.target(
                    "Role", "/subscriptions/X/providers/Microsoft.Authorization/roleDefinitions/\(Builder.role)",
                    "Writer"),
                Builder.person,
            ]
        }
        func scope(_ record: AuditRecordBuilder) -> String? { record.fact()?.entitlement?.scope }
        #expect(base.fact()?.entitlement?.kind == .azureRole)
        #expect(base.fact()?.entitlement?.id == Builder.role)
        #expect(scope(base) == nil)
        let path = "/subscriptions/\(Builder.subscription)"
        #expect(scope(base.with { $0.targets.append(Builder.target("Subscription", Builder.subscription)) }) == path)
        #expect(scope(base.with { $0.targets.append(Builder.target("Other", path.uppercased())) }) == path)
        let narrow = path + "/resourcegroups/data"
        #expect(
            scope(
                base.with {
                    $0.details.append(
                        ("OriginRoleAssignmentId", narrow + "/providers/Microsoft.Authorization/roleAssignments/1"))
                }) == narrow)
        let definition = ("RoleDefinitionOriginId", path + "/providers/Microsoft.Authorization/roleDefinitions/1")
        #expect(scope(base.with { $0.details.append(definition) }) == nil)
        #expect(
            scope(
                base.with {
                    $0.details.append(definition)
                    $0.targets.append(Builder.target("Other", Builder.subscription))
                }) == path)
    }

    @Test("A role on an administrative unit is not the role on the directory")
    func administrativeUnit() throws {
        let record = Self.approved.with { $0.targets.append(Builder.target("AdministrativeUnit", "au-1")) }
        #expect(record.fact()?.entitlement?.scope == "/administrativeunits/au-1")
    }

    @Test("The directory's own removal goes by the template of the role, never by its object")
    func directoryRole() throws {
        let record = Builder("Remove member from role").with {
            $0.service = "Core Directory"
            $0.initiatedBy = ["app": ["displayName": "MS-PIM", "servicePrincipalId": "838a06ea"]]
            $0.details = []
            $0.targets = [
                [
                    "type": "User", "id": .string(Builder.subject.uppercased()), "displayName": nil,
                    "userPrincipalName": "avery.okafor@harborline.example",
                    "modifiedProperties": [
                        ["displayName": "Role.ObjectID", "oldValue": "\"d5f2\"", "newValue": nil],
                        [
                            "displayName": "Role.TemplateId", "oldValue": .string("\"\(Builder.role)\""),
                            "newValue": nil,
                        ],
                    ],
                ]
            ]
        }
        let fact = try #require(record.fact())
        #expect(fact.content == .grantEnded(.removedInDirectory))
        #expect(fact.entitlement == Entitlement(kind: .entraRole, id: Builder.role, scope: "/"))
        #expect(fact.approvalID == nil)
        #expect(fact.subject?.id.rawValue == Builder.subject)
        #expect(Self.why(record.with { $0.targets = [Builder.person] }.fact()) == "rejected no_entitlement")
    }

    @Test("Leaving a group ends what rests on it, for groups that a job class rests on")
    func directoryGroup() throws {
        let record = Builder("Remove member from group").with {
            $0.service = "Core Directory"
            $0.details = []
            $0.targets = [Builder.person, Builder.target("Group", Builder.group)]
        }
        #expect(record.fact()?.content == .grantEnded(.removedInDirectory))
        var configuration = Builder.configuration
        configuration.mapping = SourceMapping()
        #expect(Self.why(record.fact(configuration)) == "ignored group_not_mapped")
        configuration.mapping?.entitlements = EntitlementMap(entries: [
            EntitlementMap.Entry(kind: .group, id: Builder.group, scope: "member", jobClass: JobClass("maintenance"))
        ])
        #expect(record.fact(configuration)?.content == .grantEnded(.removedInDirectory))
        let owner = record.with { $0.activity = "Remove owner from group" }
        #expect(Self.why(owner.fact(configuration)) == "ignored group_not_mapped")
    }

    // MARK: Text, ticket, result

    @Test("Texts and tickets, from the details or the result's reason")
    func text() throws {
        let fact = try #require(
            Self.completed.with {
                $0.resultReason = "Patch night"
                $0.details += [("TicketNumber", "CHG0034521"), ("TicketSystem", "ServiceNow")]
            }.fact())
        #expect(fact.justification?.text == "Patch night")
        #expect(fact.ticket == Ticket(system: "ServiceNow", number: "CHG0034521"))
        let approval = try #require(Self.approved.with { $0.details.append(("Justification", "a\u{0}b")) }.fact())
        #expect(approval.justification == nil)
        #expect(approval.approverJustification?.text == "a\u{FFFD}b")
        #expect(approval.approverJustification?.digest == Digest(hashing: "a\u{0}b"))
    }

    @Test("What did not succeed did not happen", arguments: ["failure", "timeout", "unknownFutureValue", "", nil])
    func failure(result: String?) {
        let record = Self.approved.with { $0.result = .optional(result) }
        #expect(Self.why(record.fact()) == "ignored result_not_success")
        #expect(Self.approved.with { $0.result = "SUCCESS" }.fact()?.kind == "decision.approved")
    }

    // MARK: Tenant and category

    @Test("The tenant stands twice, the same, and on the list")
    func tenant() {
        let other = "d2b7c9aa-0000-4000-8000-000000000000"
        #expect(
            Self.why(
                Self.approved.with {
                    $0.tenantID = other
                    $0.resourceID = "/tenants/\(other)/providers/Microsoft.aadiam"
                }.fact()) == "rejected unknown_tenant")
        #expect(Self.why(Self.approved.with { $0.tenantID = other }.fact()) == "rejected tenant_mismatch")
        #expect(Self.why(Self.approved.with { $0.resourceID = "" }.fact()) == "rejected tenant_mismatch")
        #expect(Self.why(Self.approved.with { $0.resourceID = "/tenants/" }.fact()) == "rejected tenant_mismatch")
        let upper = Self.approved.with {
            $0.tenantID = Builder.tenant.uppercased()
            $0.resourceID = "/TENANTS/\(Builder.tenant.uppercased())/PROVIDERS/MICROSOFT.AADIAM"
        }
        #expect(upper.fact()?.kind == "decision.approved")
        #expect(upper.fact()?.approvalID?.rawValue == "entra-pim/\(Builder.tenant)/\(Builder.request)")
    }

    @Test("Other log categories are not ours")
    func category() {
        #expect(Self.why(Self.approved.with { $0.logCategory = "SignInLogs" }.fact()) == "ignored not_audit_category")
        #expect(Self.approved.with { $0.logCategory = "auditlogs" }.fact()?.kind == "decision.approved")
    }

    // MARK: Messages

    @Test("A message is an envelope, a bare record or an array")
    func envelopes() {
        let record = Self.approved.json
        #expect(Builder.reading(["records": [record, record]]).facts.map(\.recordIndex) == [0, 1])
        #expect(Builder.reading([record, record, record]).facts.count == 3)
        #expect(Builder.reading(record).facts.count == 1)
        #expect(Builder.reading(["records": []]).only?.content == .ignored(why: "empty_batch"))
        let printed: JSONValue = ["records": .string(JSONWriter.text([record]))]
        #expect(Builder.reading(printed).only?.kind == "decision.approved")
    }

    @Test("One bad entry does not take the good ones along")
    func mixedBatch() {
        let facts = Builder.reading(["records": [1, Self.approved.json, ["x": 1], nil, Self.completed.json]]).facts
        #expect(
            facts.map(EntraActivityTests.summary) == [
                "rejected malformed", "decision.approved", "rejected malformed", "rejected malformed", "grant.started",
            ])
    }

    @Test(
        "A message that is no message goes to the dead letters with the reason",
        arguments: [
            ("", DeadLetterReason.notJSON), ("{", .notJSON), ("not json", .notJSON), ("7", .malformed),
            ("\"text\"", .malformed), ("{\"records\":{}}", .malformed), ("{\"records\":null}", .malformed),
            ("[1e999]", .notJSON),
        ])
    func deadLetters(text: String, reason: DeadLetterReason) {
        #expect(Builder.reading(Array(text.utf8)).fault == reason)
    }

    @Test("Size, depth and count are limited")
    func limits() {
        var configuration = Builder.configuration
        configuration.limits.json.maximumBytes = 1_000
        #expect(Builder.reading(Self.approved.json, configuration).fault == .tooLarge)
        let deep = String(repeating: "[", count: 10_000)
        #expect(Builder.reading(Array(deep.utf8)).fault == .notJSON)
        configuration = Builder.configuration
        configuration.limits.maximumEntries = 2
        #expect(Builder.reading(["records": [1, 2, 3]], configuration).fault == .tooLarge)
        configuration.limits.maximumListMembers = 3
        #expect(Self.why(Self.approved.fact(configuration)) == "rejected malformed")
        #expect(Builder.reading([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]).fault == .notJSON)
    }

    @Test("A text cut inside a surrogate pair does not lose the message")
    func loneSurrogate() throws {
        for broken in [#"cut \ud83d"#, "a \u{10F000}", #"a \udbfc\udc00"#] {
            let text = JSONWriter.text(Self.approved.with { $0.details.append(("Justification", "XYZ")) }.json)
                .replacing("XYZ", with: broken)
            let fact = try #require(Builder.reading(Array(text.utf8)).only)
            #expect(fact.kind == "decision.approved")
            let justification = [fact.justification?.text, fact.approverJustification?.text].compactMap(\.self)
            #expect(justification.contains { $0.unicodeScalars.contains("\u{FFFD}") })
        }
    }

    @Test("A record without a value changes nothing")
    func tombstone() {
        let reading = EntraAuditSource.facts(
            from: SourceRecord(topic: "t", value: nil), configuration: Builder.configuration, at: Builder.now)
        #expect(reading.only?.content == .ignored(why: "tombstone"))
    }

    @Test("A record without an identifier is known by its digest")
    func missingIdentifier() throws {
        let record = Self.approved.with { $0.id = .null }
        let fact = try #require(record.fact())
        #expect(fact.sourceEventID?.rawValue == "sha256:\(record.json.canonicalDigest.b64u)")
        #expect(fact.recordDigest == record.json.canonicalDigest)
    }

    @Test("Audit records cannot be a signed source, and a confirmed one says that the vendor is still to be asked")
    func authenticity() {
        var configuration = Builder.configuration
        configuration.authenticity = .signed
        #expect(Builder.reading(Self.approved.json, configuration).fault == .unsigned)
        configuration.authenticity = .confirmed
        #expect(Builder.reading(Self.approved.json, configuration).evidence == .confirmationNeeded)
    }

    @Test("Any member of any type gives facts or a reason, never a crash", arguments: 0..<400)
    func mutations(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let base = random.next() % 2 == 0 ? Self.approved : Self.completed
        let value = random.mutate(base.json, depth: 0)
        switch Builder.reading(value) {
        case .facts(let facts, _): #expect(!facts.isEmpty)
        case .deadLetter(let fault): #expect(!fault.detail.isEmpty)
        }
        var bytes = JSONWriter.bytes(base.json)
        for _ in 0..<4 { bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next()) }
        switch Builder.reading(bytes) {
        case .facts(let facts, _): #expect(!facts.isEmpty)
        case .deadLetter(let fault): #expect(!fault.detail.isEmpty)
        }
    }
}

extension SeededGenerator {
    /// The value with some members replaced, dropped or nested.
    mutating func mutate(_ value: JSONValue, depth: Int) -> JSONValue {
        if depth > 0, next() % 24 == 0 {
            let odd: [JSONValue] = [
                nil, true, 7, -1.5, "", "text", "[", "{\"a\":1}", [], [1, [2]], [:], ["id": 5], ["user": "x"],
                .string(String(repeating: "é", count: 3_000)),
            ]
            return odd[Int(next() % UInt64(odd.count))]
        }
        switch value {
        case .object(let object):
            var copy = JSONObject()
            for member in object.members where next() % 40 != 0 {
                copy[member.key] = mutate(member.value, depth: depth + 1)
            }
            return .object(copy)
        case .array(let elements):
            var copy: [JSONValue] = []
            for element in elements where next() % 20 != 0 { copy.append(mutate(element, depth: depth + 1)) }
            return .array(copy)
        case .null, .bool, .number, .string: return value
        }
    }
}
