public import ClawWire
public import IssuanceRules

/// Objects of Microsoft Graph on a topic: schedule requests with their approval and their schedule instance, requests
/// for access packages with their approval and their assignment, as a poller wrote them, and change notifications of
/// groups.
///
/// A wrapper is `{"kind":"graph.poll","tenantId","polledAt","request","approval","instance"}` round unchanged answers;
/// `instances` may stand for `instance`. A message is a wrapper, an array of wrappers, or `{"records":[…]}`.
public enum GraphSource: ApprovalSource {
    /// The vocabulary's name in facts.
    public static let vocabulary = "entra.graph"

    /// Reads one record into the facts of each of its entries.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        VendorRecord.reading(record, configuration, vocabulary: vocabulary) { entry, index in
            GraphNotification.looksLikeOne(entry)
                ? GraphNotification.facts(entry, index, configuration) : facts(of: entry, index, configuration)
        }
    }

    /// Reads one wrapper: an entry of a record, or an answer that was just read.
    public static func facts(
        of wrapper: JSONValue, _ index: Int, _ configuration: SourceConfiguration
    ) -> [Fact] {
        // When it was asked tells nothing of what was answered: the same answer is the same event.
        let digest = VendorRecord.digest(wrapper, without: ["polledat", "about"])
        var base = Fact(
            recordIndex: index, source: vocabulary, sourceEventID: SourceEventID("sha256:\(digest.b64u)"),
            occurredAt: nil, content: WhyCode.malformed.rejected)
        base.recordDigest = digest
        guard let value = VendorRecord.object(wrapper, "request"),
            let request = GraphRequest(value, limits: configuration.limits),
            let polledAt = VendorRecord.time(VendorRecord.member(wrapper, "polledAt"))
        else { return [base] }
        let tenant: String
        switch VendorRecord.tenant(VendorRecord.member(wrapper, "tenantId"), configuration) {
        case .success(let known): tenant = known
        case .failure(let why): return [base.with(why.code.rejected)]
        }
        var approval: GraphApproval?
        if let value = VendorRecord.object(wrapper, "approval") {
            approval = GraphApproval(value, limits: configuration.limits)
            // An approval of another request says nothing of this one.
            guard let approval, approval.id == nil || approval.id == request.approvalID ?? request.id else {
                return [base]
            }
        }
        guard let window = request.window(instances(wrapper)) else { return [base] }
        base.occurredAt = request.completedAt ?? request.createdAt ?? polledAt
        base.approvalID = request.approvalName(in: tenant)
        base.subject = Actor(id: PersonID(request.principal))
        base.entitlement = request.entitlement
        return GraphFacts(base: base, request: request, approval: approval, window: window, polledAt: polledAt).facts
    }

    private static func instances(_ wrapper: JSONValue) -> [JSONValue] {
        if let one = VendorRecord.object(wrapper, "instance"), one.object != nil { return [one] }
        guard let many = VendorRecord.object(wrapper, "instances") else { return [] }
        return (many.array ?? VendorRecord.object(many, "value")?.array ?? []).filter { $0.object != nil }
    }
}

/// What a request, its approval and its window amount to.
private struct GraphFacts {
    let base: Fact
    let request: GraphRequest
    let approval: GraphApproval?
    let window: (notBefore: Timestamp?, notAfter: Timestamp?)
    let polledAt: Timestamp?

    var facts: [Fact] {
        guard !request.isValidationOnly else { return [base.with(WhyCode.validationOnly.ignored)] }
        if request.isEligibility { return eligibility }
        switch request.action {
        case .activate: return activation
        case .deactivate: return removal(.deactivated)
        case .remove: return removal(.removed)
        case .assign:
            return change {
                base.with(.grantDirect(assignedBy: request.assigner, outsidePIM: false, notBefore: $0, notAfter: $1))
            }
        case .change: return change { base.with(.grantChanged(notBefore: $0, notAfter: $1)) }
        case .unknown: return [base.with(WhyCode.unknownActivity.ignored)]
        }
    }

    private var activation: [Fact] {
        var opened = base
        opened.requester = request.requester
        opened.justification = request.justification
        opened.occurredAt = request.createdAt ?? base.occurredAt
        switch request.status {
        case .pending, .unknown: return approvals(opened) ?? [opened.with(.requestOpened)]
        case .granted:
            opened.ticket = request.ticket
            return approvals(opened) ?? [opened.with(.requestOpened)]
        case .provisioned:
            opened.ticket = request.ticket
            var started = base
            started.requester = opened.requester
            started.ticket = request.ticket
            return (approvals(opened) ?? [])
                + [started.with(.grantStarted(notBefore: window.notBefore, notAfter: window.notAfter))]
        case .denied:
            var denied = opened
            denied.occurredAt = approval?.denial?.decidedAt ?? base.occurredAt
            denied.justification = nil
            denied.approverJustification = approval?.denial?.text
            return [denied.with(.decisionDenied(approver: approval?.denial?.reviewer))]
        case .timedOut: return [base.with(.decisionTimedOut)]
        case .canceled: return [base.with(.decisionCanceled)]
        case .failed: return [base.with(WhyCode.resultNotSuccess.ignored)]
        case .revoked: return [base.with(.grantEnded(.removed))]
        }
    }

    /// The steps that said yes, one fact for each; `nil` when none did. A no of any step is a no.
    private func approvals(_ opened: Fact) -> [Fact]? {
        guard let approval else { return nil }
        if let denial = approval.denial {
            var denied = opened
            denied.occurredAt = denial.decidedAt ?? base.occurredAt
            denied.approverJustification = denial.text
            return [denied.with(.decisionDenied(approver: denial.reviewer))]
        }
        guard approval.isComplete else { return nil }
        return approval.approvals.map { decision in
            var fact = opened
            fact.occurredAt = decision.decidedAt
            fact.approverJustification = decision.text
            return decision.decidedAt == nil
                ? fact.with(WhyCode.unparseableTime.rejected)
                : fact.with(.decisionApproved(approver: decision.reviewer))
        }
    }

    /// A deactivation or a removal is a request of its own: it ends what its principal holds of the entitlement.
    private func removal(_ reason: Fact.EndReason) -> [Fact] {
        switch request.status {
        case .provisioned, .revoked, .granted:
            var ended = base
            ended.approvalID = nil
            return [ended.with(.grantEnded(reason))]
        case .pending, .unknown: return [base.with(WhyCode.intermediateStep.ignored)]
        case .denied, .timedOut, .canceled, .failed: return [base.with(WhyCode.resultNotSuccess.ignored)]
        }
    }

    private var eligibility: [Fact] {
        guard request.action == .remove else { return [base.with(WhyCode.pimAdministration.ignored)] }
        return removal(.eligibilityRemoved)
    }

    /// An assignment or an extension, which nobody's approval of a job stands behind.
    private func change(_ content: (Timestamp?, Timestamp?) -> Fact) -> [Fact] {
        switch request.status {
        case .provisioned, .granted:
            guard let stated = VendorSchedule.window(request.scheduleInfo) else {
                return [base.with(WhyCode.unparseableTime.rejected)]
            }
            var fact = content(window.notBefore ?? stated.notBefore, window.notAfter ?? stated.notAfter)
            fact.justification = request.justification
            return [fact]
        case .pending, .unknown: return [base.with(WhyCode.intermediateStep.ignored)]
        case .denied, .timedOut, .canceled, .failed, .revoked: return [base.with(WhyCode.resultNotSuccess.ignored)]
        }
    }
}
