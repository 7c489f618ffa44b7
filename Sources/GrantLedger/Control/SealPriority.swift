/// What is sealed first. Stops and what they void must not queue behind grants.
enum SealPriority: Int16 {
    /// Control events.
    case control = 0
    /// Revoked tokens.
    case revocations = 1
    /// Everything else.
    case ordinary = 2

    /// The priority of a group: that of its most urgent effect.
    init(_ effects: ArraySlice<Effect>) {
        var priority = SealPriority.ordinary
        for effect in effects {
            for output in effect.outputs {
                switch output.stream {
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
