import ClawWire

/// The checks of `rate_limit_claims`: what the agent says of its own rates must at least agree with itself.
enum RateLimitCheck {
    static func check(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        let claims = context.entries("rate_limit_claims")
        guard !claims.isEmpty else { return }
        let runID = context.runID
        for (index, claim) in claims.enumerated() {
            try check(claim, runID: runID, field: "payload.rate_limit_claims[\(index)]")
        }
        context.components["rate_limit_claims_count"] = .integer(claims.count)
        context.components["rate_limit_claims_valid"] = true
    }

    private static func check(_ claim: JSONValue, runID: String?, field: String) throws(ReferenceRefusal) {
        func inconsistent(_ field: String, _ detail: String) -> ReferenceRefusal {
            ReferenceRefusal("RATE_LIMIT_CLAIM_INCONSISTENT", field, detail)
        }
        guard let start = ReferenceDate.milliseconds(claim["window_start"]),
            let end = ReferenceDate.milliseconds(claim["window_end"])
        else { throw inconsistent(field, "the window has no dates") }
        guard start <= end else {
            throw ReferenceRefusal("RATE_LIMIT_WINDOW_INVALID", "\(field).window_start", "the window ends early")
        }
        for label in ["requests", "tokens_input", "tokens_output"] {
            let (maximum, observed) = (claim["max_\(label)"], claim["observed_\(label)"])
            if label != "requests", maximum == nil, observed == nil { continue }
            guard let maximum = maximum?.number, let observed = observed?.number, maximum >= 0, observed >= 0 else {
                throw inconsistent(field, "max_\(label) and observed_\(label) belong together")
            }
            guard observed <= maximum else {
                throw ReferenceRefusal("RATE_LIMIT_EXCEEDED", "\(field).observed_\(label)", "more than claimed")
            }
        }
        if let runID, let claimed = claim["run_id"], claimed != .string(runID) {
            throw inconsistent("\(field).run_id", "the claim is of another run")
        }
    }
}
