public import ClawWire

/// Texts that compare without case, in the one form in which they are kept.
enum Folding {
    /// A text with its ASCII capitals made small: identifiers of directories and numbers of tickets need no more.
    static func folded(_ text: String) -> String {
        guard text.utf8.contains(where: { (0x41...0x5A).contains($0) }) else { return text }
        return String(
            decoding: text.utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}

extension PersonID {
    /// A person as rules, facts and requests name them: directories compare identifiers without case (INTEGRATIONS
    /// section 1.4).
    init(folding text: String) { self.init(Folding.folded(text)) }
}

extension Actor {
    /// The principal name as an identifier: what transmitters of signals call people by.
    public var principalName: PersonID? { upn.map { PersonID(folding: $0) } }
}

extension Ticket {
    /// The number in the form in which tickets are compared: without case.
    public var comparedNumber: String? { number.map { Folding.folded($0) } }
}

extension CapabilityRequest {
    /// The ticket's number in the form in which tickets are compared: without case.
    public var comparedTicketNumber: String? { ticketNumber.map { Folding.folded($0) } }
}
