import ClawWire
import GrantLedger
import IssuanceRules

/// Finds the approvals that a request may rest on, without looking at each approval for each request.
struct ApprovalMeetings {
    private var byRequest: [RequestID: [ApprovalID]] = [:]
    private var byTicket: [String: [ApprovalID]] = [:]
    private var bySubject: [PersonID: [ApprovalID]] = [:]

    init() {}

    init(_ states: some Sequence<ApprovalState>) {
        for state in states {
            if let contained = state.containedRequest?.requestID {
                byRequest[contained, default: []].append(state.approvalID)
            }
            for ticket in state.ticketNumbers { byTicket[ticket, default: []].append(state.approvalID) }
            if let subject = state.subject?.id { bySubject[subject, default: []].append(state.approvalID) }
        }
    }

    /// Approvals that carry the request, have its ticket, or are for its subject.
    func approvals(for request: CapabilityRequest) -> Set<ApprovalID> {
        var found = Set(byRequest[request.requestID] ?? [])
        if let ticket = request.comparedTicketNumber { found.formUnion(byTicket[ticket] ?? []) }
        if let subject = request.subject { found.formUnion(bySubject[subject] ?? []) }
        return found
    }
}

/// Finds the stored requests that wait for an approval.
struct WaitingRequests {
    private var byApproval: [ApprovalID: [RequestID]] = [:]
    private var byTicket: [String: [RequestID]] = [:]
    private var bySubject: [PersonID: [RequestID]] = [:]

    init(_ requests: some Sequence<StoredRequest>) {
        for request in requests where request.state == .waiting {
            if let approval = request.approvalReference { byApproval[approval, default: []].append(request.requestID) }
            let named = Ticket(system: nil, number: request.ticketReference)
            if let ticket = named.comparedNumber { byTicket[ticket, default: []].append(request.requestID) }
            if let subject = request.subjectReference { bySubject[subject, default: []].append(request.requestID) }
        }
    }

    /// Requests that name the approval, one of its tickets, or its subject.
    func requests(for state: ApprovalState) -> Set<RequestID> {
        var found = Set(byApproval[state.approvalID] ?? [])
        for ticket in state.ticketNumbers { found.formUnion(byTicket[ticket] ?? []) }
        if let subject = state.subject?.id { found.formUnion(bySubject[subject] ?? []) }
        return found
    }
}
