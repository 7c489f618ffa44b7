/// What a loader asks of a file: every key that it takes and what each value may be. The reference of settings is made
/// of it.
package struct SettingRecord: Sendable {
    /// What a value may be.
    package enum Form: Sendable, Hashable {
        /// true or false.
        case truth(fallback: Bool)
        /// A whole number.
        case count(ClosedRange<Int>, fallback: Int)
        /// One of some words.
        case choice([String])
        /// A time, RFC 3339.
        case time
        /// A text that is looked at no further here: a name, a path, an address.
        case text
    }

    /// Names of the keys of each mapping, by where it stands (`keys[0].pkcs11`, empty for the top).
    package private(set) var keys: [String: Set<String>] = [:]
    /// Settings that a variable of the environment overrides, with the variable.
    package private(set) var variables: [String: String] = [:]
    /// Mappings whose keys are free, with what the variables of their members begin with.
    package private(set) var openMappings: [String: String] = [:]
    /// The forms of settings that the file gave a value.
    package private(set) var forms: [String: Form] = [:]

    mutating func add(_ names: [String], of mapping: String) { keys[mapping, default: []].formUnion(names) }
    mutating func add(variable: String, of setting: String) { variables[setting] = variable }
    mutating func add(openMapping mapping: String, prefix: String) { openMappings[mapping] = prefix }

    mutating func add(_ form: Form, of setting: String) {
        // Whatever reads a value as text first and judges it then is the more exact one.
        if case .text = form, forms[setting] != nil { return }
        forms[setting] = form
    }
}
