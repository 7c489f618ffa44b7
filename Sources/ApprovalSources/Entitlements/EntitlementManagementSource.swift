public import ClawWire
import IssuanceRules

/// Callouts of custom extensions of Microsoft Entra entitlement management, as a Logic App passes them on:
/// `{"kind":"em.callout","tenantId","receivedAt","body"}` round the unchanged
/// `accessPackageAssignmentRequestCalloutData`, an array of such wrappers, or `{"records":[…]}`.
///
/// A callout says that a request was approved and not by whom: the audit log's record of it names the human.
public enum EntitlementManagementSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "entra.em"

    /// Reads one record into one fact for each entry.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        VendorRecord.reading(record, configuration, vocabulary: vocabulary) { entry, index in
            [fact(entry, index, configuration)]
        }
    }

    private static func fact(_ entry: JSONValue, _ index: Int, _ configuration: SourceConfiguration) -> Fact {
        // A redelivery is received at another time and is the same event.
        let digest = VendorRecord.digest(entry, without: ["receivedat", "about"])
        let body = VendorRecord.object(entry, "body") ?? VendorRecord.object(entry, "data") ?? entry
        let stage = VendorRecord.word(VendorRecord.member(body, "stage"))
        var base = Fact(
            recordIndex: index, source: vocabulary, sourceEventID: SourceEventID("sha256:\(digest.b64u)"),
            occurredAt: nil, content: WhyCode.malformed.rejected)
        base.recordDigest = digest
        guard let stage, let callout = AccessPackageCallout(body, limits: configuration.limits) else { return base }
        // A stage of a request is called out once, whatever the retries.
        if let instance = VendorRecord.part(VendorRecord.member(body, "customExtensionStageInstanceId")) {
            base.sourceEventID = SourceEventID("\(instance)/\(stage)")
        }
        let tenant: String
        switch VendorRecord.tenant(VendorRecord.member(entry, "tenantId"), configuration) {
        case .success(let known): tenant = known
        case .failure(let why): return base.with(why.code.rejected)
        }
        guard let received = VendorRecord.time(VendorRecord.member(entry, "receivedAt")), let received else {
            return base.with(WhyCode.unparseableTime.rejected)
        }
        base.occurredAt = received
        base.subject = callout.subject
        base.entitlement = callout.package
        base.assignment = callout.assignmentID.flatMap { AssignmentID("entra-em/\(tenant)/\($0)") }
        base.approvalID = callout.requestID.map { ApprovalID("entra-em/\(tenant)/\($0)") }
        return complete(base, stage, callout)
    }

    private static func complete(_ base: Fact, _ stage: String, _ callout: AccessPackageCallout) -> Fact {
        if stage == "assignmentrequestremoved" { return ended(base) }
        switch callout.state {
        case "denied": return PIMFacts.demandRequest(base.with(.decisionDenied(approver: nil)))
        case "canceled", "cancelled": return PIMFacts.demandRequest(base.with(.decisionCanceled))
        case "deliveryfailed": return base.with(WhyCode.resultNotSuccess.ignored)
        default: break
        }
        var fact = base
        fact.requester = callout.requester
        fact.ticket = callout.ticket
        switch stage {
        case "assignmentrequestcreated":
            guard callout.kind == .add else { return base.with(WhyCode.intermediateStep.ignored) }
            return PIMFacts.demandRequest(fact.with(.requestOpened))
        case "assignmentrequestapproved":
            guard callout.kind == .add else { return base.with(WhyCode.intermediateStep.ignored) }
            return PIMFacts.demandRequest(fact.with(.decisionApproved(approver: nil)))
        case "assignmentrequestgranted": return granted(fact, callout)
        case "assignmentfourteendaysbeforeexpiration", "assignmentonedaybeforeexpiration":
            return base.with(WhyCode.pimAdministration.ignored)
        default: return base.with(WhyCode.unknownActivity.ignored)
        }
    }

    private static func granted(_ fact: Fact, _ callout: AccessPackageCallout) -> Fact {
        guard let window = VendorSchedule.window(callout.schedule) else {
            return fact.with(WhyCode.unparseableTime.rejected)
        }
        switch callout.kind {
        case .add:
            // Part of a delivery, or a state that this version does not know, opens nothing yet.
            switch callout.state {
            case "delivered", "delivering", nil: break
            case .some: return PIMFacts.demandRequest(fact.with(.requestOpened))
            }
            return PIMFacts.demandRequest(
                fact.with(.grantStarted(notBefore: window.notBefore, notAfter: window.notAfter)))
        case .direct:
            return fact.with(
                .grantDirect(
                    assignedBy: nil, outsidePIM: false, notBefore: window.notBefore, notAfter: window.notAfter))
        case .change:
            return PIMFacts.demandRequest(
                fact.with(.grantChanged(notBefore: window.notBefore, notAfter: window.notAfter)))
        case .remove: return ended(fact)
        case .unknown: return fact.with(WhyCode.unknownActivity.ignored)
        }
    }

    /// The removal is a request of its own: it ends the assignment that it names, and what its subject holds of the package.
    private static func ended(_ base: Fact) -> Fact {
        var fact = base
        fact.approvalID = nil
        return PIMFacts.demandHolder(fact.with(.grantEnded(.removed)))
    }
}
