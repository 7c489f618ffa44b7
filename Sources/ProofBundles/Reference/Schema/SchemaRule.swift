import ClawWire

/// A rule that a JSON value must keep, and where the first breach is.
///
/// The reference names the first breach that its generated validators meet, so the order of looking is part of the
/// format: of an object the alternatives of required members, then missing members in the schema's order, then foreign
/// members in the document's order, then the members' own rules in the schema's order; of an array its length, then its
/// elements; of alternatives everything in turn, and when none holds the first alternative's first breach.
indirect enum SchemaRule: Sendable {
    /// Everything.
    case any
    /// A text of a form.
    case text(TextForm)
    /// A text of a form, or null.
    case optionalText(TextForm)
    /// A number within bounds.
    case number(minimum: Double? = nil, maximum: Double? = nil)
    /// A whole number of at least this.
    case integer(minimum: Double)
    /// True or false.
    case boolean
    /// True, false or null.
    case optionalBoolean
    /// Exactly this text.
    case constant(String)
    /// One of these texts.
    case choice([String])
    /// An array whose elements keep a rule.
    case array(SchemaRule, minimum: Int = 0, maximum: Int = .max)
    /// An object.
    case object(ObjectRule)
    /// Exactly one of these.
    case oneOf([SchemaRule])

    /// What a text looks like.
    enum TextForm: Sendable {
        /// At least so many code points.
        case length(Int)
        /// Characters of base64url, at least eight.
        case base64url
        /// Begins with `did:`.
        case did
        /// RFC 3339 date and time with an offset.
        case dateTime
        /// Decimal digits.
        case digits
        /// A CAIP-10 address of an `eip155` chain.
        case chainAddress

        func accepts(_ text: String) -> Bool {
            switch self {
            case .length(let minimum):
                minimum <= 1 ? minimum == 0 || !text.isEmpty : text.unicodeScalars.count >= minimum
            case .base64url: text.utf8.count >= 8 && ReferenceText.isBase64URL(text)
            case .did: text.utf8.starts(with: "did:".utf8)
            case .dateTime: ReferenceDate.isDateTime(text)
            case .digits: !text.isEmpty && text.utf8.allSatisfy(ReferenceText.isDigit)
            case .chainAddress: ReferenceText.isChainAddress(text)
            }
        }
    }

    /// The field of the first breach, `""` for the value as a whole; `nil` when the rule is kept.
    func firstBreach(in value: JSONValue) -> String? {
        guard let breach = breach(in: value) else { return nil }
        return breach.field
    }

    func breach(in value: JSONValue) -> SchemaBreach? {
        switch self {
        case .any: return nil
        case .text(let form):
            guard case .string(let text) = value, form.accepts(text) else { return SchemaBreach() }
            return nil
        case .optionalText(let form):
            if case .null = value { return nil }
            guard case .string(let text) = value, form.accepts(text) else { return SchemaBreach() }
            return nil
        case .number(let minimum, let maximum):
            guard case .number(let number) = value, number.isFinite, minimum.map({ number >= $0 }) ?? true,
                maximum.map({ number <= $0 }) ?? true
            else { return SchemaBreach() }
            return nil
        case .integer(let minimum):
            guard case .number(let number) = value, number.isFinite, number == number.rounded(), number >= minimum
            else { return SchemaBreach() }
            return nil
        case .boolean: return value.bool == nil ? SchemaBreach() : nil
        case .optionalBoolean: return value.bool == nil && !value.isNull ? SchemaBreach() : nil
        case .constant(let constant):
            guard case .string(let text) = value, ExactText.equal(text, constant) else { return SchemaBreach() }
            return nil
        case .choice(let choices):
            guard case .string(let text) = value, ExactText.contains(choices, text) else { return SchemaBreach() }
            return nil
        case .array(let rule, let minimum, let maximum):
            guard case .array(let elements) = value, elements.count >= minimum, elements.count <= maximum else {
                return SchemaBreach()
            }
            for (index, element) in elements.enumerated() {
                if let breach = rule.breach(in: element) { return breach.inside(.index(index)) }
            }
            return nil
        case .object(let rule): return rule.breach(in: value)
        case .oneOf(let rules): return Self.breach(in: value, ofExactlyOneOf: rules)
        }
    }

    private static func breach(in value: JSONValue, ofExactlyOneOf rules: [SchemaRule]) -> SchemaBreach? {
        var first: SchemaBreach?
        var kept = 0
        for rule in rules {
            if let breach = rule.breach(in: value) {
                first = first ?? breach
            } else {
                kept += 1
            }
        }
        return kept == 1 ? nil : first ?? SchemaBreach()
    }
}

/// What an object must look like.
struct ObjectRule: Sendable {
    /// The members with a rule, in the schema's order.
    let members: [(name: String, rule: SchemaRule)]
    /// The members that must be there, in the schema's order.
    let required: [String]
    /// What members without a rule must keep; `nil` when there must be none.
    let others: SchemaRule?
    /// At least one of these members must be there.
    let anyOf: [String]
    private let names: Set<String>

    init(
        _ members: KeyValuePairs<String, SchemaRule>, required: [String], others: SchemaRule? = nil,
        anyOf: [String] = []
    ) {
        self.members = members.map { (name: $0.key, rule: $0.value) }
        self.required = required
        self.others = others
        self.anyOf = anyOf
        names = Set(members.map(\.key))
    }

    func breach(in value: JSONValue) -> SchemaBreach? {
        guard case .object(let object) = value else { return SchemaBreach() }
        if let first = anyOf.first, !anyOf.contains(where: { object.contains($0) }) {
            return SchemaBreach(.property(first))
        }
        if let missing = required.first(where: { !object.contains($0) }) { return SchemaBreach(.property(missing)) }
        if let breach = breachOfOthers(in: object) { return breach }
        for (name, rule) in members {
            if let value = object[name], let breach = rule.breach(in: value) { return breach.inside(.key(name)) }
        }
        return nil
    }

    private func breachOfOthers(in object: JSONObject) -> SchemaBreach? {
        // Array-index keys are enumerated first, so the first foreign one of them is named before other foreign keys.
        var firstForeign: SchemaBreach?
        var firstIndex: (UInt32, SchemaBreach)?
        for member in object.members where !(names.contains(member.key) && isOwn(member.key)) {
            let breach: SchemaBreach
            if let others {
                guard let inner = others.breach(in: member.value) else { continue }
                breach = inner.inside(.key(member.key))
            } else {
                breach = SchemaBreach(.property(member.key))
            }
            if let index = ReferenceText.arrayIndex(member.key) {
                if firstIndex.map({ index < $0.0 }) ?? true { firstIndex = (index, breach) }
            } else if firstForeign == nil {
                firstForeign = breach
            }
        }
        return firstIndex?.1 ?? firstForeign
    }

    // The set compares by canonical equivalence; the schema compares code units.
    private func isOwn(_ key: String) -> Bool {
        key.utf8.allSatisfy { $0 < 0x80 } || members.contains { ExactText.equal($0.name, key) }
    }
}

/// Where a value breaks a rule, from the inside out.
struct SchemaBreach: Sendable {
    enum Step: Sendable {
        case index(Int)
        case key(String)
        case property(String)
    }

    private var steps: [Step] = []

    init() {}
    init(_ step: Step) { steps = [step] }

    /// The same breach seen from one level further out.
    func inside(_ step: Step) -> SchemaBreach {
        var outer = self
        outer.steps.append(step)
        return outer
    }

    /// The place as the reference writes it, for example `payload.receipts[0].payload["a b"]`.
    var field: String {
        var field = ""
        for step in steps.reversed() {
            switch step {
            case .index(let index): field += "[\(index)]"
            case .key(let key) where key.isEmpty: break
            case .key(let key) where key.utf8.allSatisfy(ReferenceText.isDigit): field += "[\(key)]"
            case .key(let key), .property(let key):
                if ReferenceText.isIdentifier(key) {
                    field += field.isEmpty ? key : ".\(key)"
                } else {
                    field += "[\(JSONWriter.text(.string(key)))]"
                }
            }
        }
        return field
    }
}
