import ClawWire

extension CausalPolicy {
    /// Resolves the causal options. An unknown mode counts as its default, an unknown profile is refused, and the
    /// strict profile refuses any weaker mode.
    ///
    /// - Throws: `CAUSAL_POLICY_PROFILE_INVALID` or `CAUSAL_POLICY_PROFILE_DOWNGRADE` at the option.
    init(resolving options: ReferenceOptions) throws(ReferenceRefusal) {
        let connectivity = "causal_connectivity_mode"
        let coverage = "coverage_enforcement_phase"
        func mode(_ key: String, default fallback: Mode) -> Mode { options.text(key).flatMap(Mode.init) ?? fallback }

        if let given = options.members["causal_policy_profile"] {
            guard let profile = given.string.flatMap(Profile.init) else {
                throw ReferenceRefusal(
                    "CAUSAL_POLICY_PROFILE_INVALID", "options.causal_policy_profile", "must be compat or strict")
            }
            self.init(profile: profile)
        } else {
            self.init()
        }
        self.connectivity = mode(connectivity, default: .enforce)
        self.coverage = mode(coverage, default: .observe)
        guard profile == .strict else { return }
        for (key, mode) in [(connectivity, self.connectivity), (coverage, self.coverage)]
        where options.members.contains(key) && mode != .enforce {
            throw ReferenceRefusal(
                "CAUSAL_POLICY_PROFILE_DOWNGRADE", "options.\(key)", "the strict profile allows enforce only")
        }
        self.connectivity = .enforce
        self.coverage = .enforce
    }

    /// The policy as `component_results.causal_policy_snapshot` shows it.
    var snapshot: JSONValue {
        [
            "profile": .string(profile.rawValue), "causal_connectivity_mode": .string(connectivity.rawValue),
            "coverage_enforcement_phase": .string(coverage.rawValue),
        ]
    }
}
