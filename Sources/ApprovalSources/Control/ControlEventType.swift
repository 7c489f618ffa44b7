public import IssuanceRules

extension EventType {
    static let controlPrefix = "com.clawbureau.clawgrant.control."
    static let controlVersion = ".v1"

    /// The type of a control event, for example `com.clawbureau.clawgrant.control.rotate-policy.v1`.
    public static func control(_ operation: ControlOperation.Kind) -> String {
        controlPrefix + operation.rawValue + controlVersion
    }

    /// What the type of an event on the control topic says.
    enum ControlType: Equatable {
        case operation(ControlOperation.Kind)
        /// One of our control types, of an operation or a version that is not known here.
        case unknownOperation
        case other

        init(_ type: String) {
            if let kind = ControlOperation.Kind.allCases.first(where: { EventType.control($0) == type }) {
                self = .operation(kind)
            } else if type == EventType.stopDeclared {
                self = .operation(.stop)
            } else if type == EventType.stopLifted {
                self = .operation(.lift)
            } else {
                self = type.hasPrefix(EventType.controlPrefix) ? .unknownOperation : .other
            }
        }
    }
}
