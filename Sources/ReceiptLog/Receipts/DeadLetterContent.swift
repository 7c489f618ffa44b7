public import ClawWire

extension Receipt {
    /// What was done about a dead letter: it was read again through the door by which it came, or given up.
    public struct DeadLetterAction: Sendable, Hashable {
        /// What it came to. The text is the wire form.
        public enum Outcome: String, Sendable, Hashable, CaseIterable {
            /// What it says was taken, and decided.
            case taken
            /// Everything that it says was known already: nothing was decided again.
            case repeated
            /// It was understood and bears on nothing here.
            case ignored
            /// It was refused again; the reason is the receipt's.
            case refused
            /// It does not stand in its topic any more, or another record stands in its place.
            case lost
            /// It was given up; the reason is the operator's.
            case discarded

            /// True when nothing is left to be done about the dead letter.
            public var isFinal: Bool {
                switch self {
                case .taken, .repeated, .ignored, .discarded: true
                case .refused, .lost: false
                }
            }
        }

        /// Where the record stands: what identifies the dead letter.
        public let origin: RecordOrigin
        /// SHA-256 of the record's value; written in lowercase hexadecimal.
        public let valueDigest: Digest
        /// How often the record was read again, this time included.
        public let hops: Int64
        /// What it came to.
        public let outcome: Outcome
        /// Who asked for it.
        public let requestedBy: String

        /// Makes an action.
        public init(
            origin: RecordOrigin, valueDigest: Digest, hops: Int64, outcome: Outcome, requestedBy: String
        ) {
            self.origin = origin
            self.valueDigest = valueDigest
            self.hops = hops
            self.outcome = outcome
            self.requestedBy = requestedBy
        }

        /// Identifies the action within the dead letter: one receipt for each hop, and one for giving it up.
        var name: String { outcome == .discarded ? "discarded" : "hop:\(hops)" }
    }
}

extension CanonicalWriter {
    mutating func deadLetter(_ action: Receipt.DeadLetterAction) {
        key("dead_letter")
        openObject()
        member("hops", action.hops)
        member("origin", action.origin)
        member("outcome", action.outcome.rawValue)
        member("requested_by", action.requestedBy)
        member("value_sha256", hex: action.valueDigest)
        closeObject()
    }
}

extension Receipt.DeadLetterAction {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            origin: try RecordOrigin(try reader.nested("origin")), valueDigest: try reader.hexDigest("value_sha256"),
            hops: try reader.integer("hops", in: 0...Int64(Int32.max)), outcome: try reader.choice("outcome"),
            requestedBy: try reader.string("requested_by"))
    }
}
