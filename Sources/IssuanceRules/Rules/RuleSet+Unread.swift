extension RuleSet {
    /// What a stop goes by where no rules can be read: nobody may approve, sign or lift anything, and no number of people
    /// suffices for a lift that waits. The name is part of the hash, so that a receipt shows that no rules were read.
    public static let unread = RuleSet(
        name: "rules that could not be read", sources: [:], entitlements: [], jobClasses: [:], groups: [:],
        workPolicies: WorkPolicyRule(signers: [], directory: nil, topic: nil, registry: nil), hardCapSeconds: 1,
        control: ControlRules(liftMinimumPeople: .max), gateways: GatewayRules(), prices: PriceTable())
}
