/// What is sealed first. Stops and what they void must not queue behind grants.
public enum SealPriority: Int16, Sendable, Comparable {
    /// Control events.
    case control = 0
    /// Revoked tokens.
    case revocations = 1
    /// Everything else.
    case ordinary = 2

    /// The more urgent comes first.
    public static func < (left: SealPriority, right: SealPriority) -> Bool { left.rawValue < right.rawValue }

    /// What a transaction that leaves groups tells the sealer with `NOTIFY`.
    var announcement: String { String(rawValue) }

    /// Reads an announcement. One that says nothing may speak of a stop.
    init(announcement: String) { self = Int16(announcement).flatMap(SealPriority.init(rawValue:)) ?? .control }

    /// The priority of a group: that of its most urgent effect.
    package init(_ effects: ArraySlice<Effect>) {
        var priority = SealPriority.ordinary
        for index in effects.indices {
            for place in effects[index].outputs.indices {
                switch effects[index].outputs[place].stream {
                case .controlResults:
                    self = .control
                    return
                case .revocations: priority = .revocations
                case .grants, .decisions, .receiptBatches, .deadLetters, .findings: break
                }
            }
        }
        self = priority
    }
}
