import ClawWire
import Yams

/// The section `control`: who may sign control events, and how many must lift.
extension RulesLoader {
    mutating func loadControl(_ value: YAMLValue?) -> ControlRules {
        guard let value else { return .none }
        let fields = reader.members(value, .control)
        var signers: [KeyID: ControlRules.Signer] = [:]
        for element in reader.elements(fields["signers"]) {
            guard let signer = loadControlSigner(element) else { continue }
            if signers.updateValue(signer, forKey: signer.key.kid) != nil {
                reader.report(element, found: "a second entry for this key", expected: "one entry for each")
            }
        }
        let lift = fields["lift"].map { reader.members($0, .lift) } ?? [:]
        return ControlRules(
            signers: signers,
            liftMinimumPeople: reader.count(
                lift["min_people"], in: ControlRules.leastPeople...32, default: ControlRules.leastPeople))
    }

    private mutating func loadControlSigner(_ value: YAMLValue) -> ControlRules.Signer? {
        let fields = reader.members(value, .controlSigner)
        if fields["did"] == nil { reader.report(value, found: "no did", expected: "did: the signer's did:key") }
        let key = reader.key(fields["did"])
        if fields["operations"] == nil {
            reader.report(value, found: "no operations", expected: "operations: what the key may do")
        }
        let operations = choices(fields["operations"], ControlOperation.Kind.self)
        if let list = fields["operations"], list.node.sequence?.isEmpty ?? false {
            reader.report(list, found: "an empty list", expected: "at least one operation")
        }
        let scopes = fields["scopes"].map { choices($0, StopScope.Kind.self) }
        let jobClasses = classSet(fields["job_classes"])
        if let list = fields["scopes"], let scopes, scopes.contains(.jobClass), jobClasses != nil {
            reader.report(
                list, found: "job_class", expected: "either job_class among the scopes or a list of job_classes")
        }
        guard let key else { return nil }
        return ControlRules.Signer(key: key, operations: operations, scopes: scopes, jobClasses: jobClasses)
    }

    private mutating func choices<Choice: CaseIterable & RawRepresentable<String> & Hashable>(
        _ value: YAMLValue?, _ type: Choice.Type
    ) -> Set<Choice> {
        var choices: Set<Choice> = []
        for element in reader.elements(value) {
            if let choice = reader.choice(element, type) { choices.insert(choice) }
        }
        return choices
    }
}
