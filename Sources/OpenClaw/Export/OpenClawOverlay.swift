public import ClawWire

/// Settings that let one agent's commands leave the sandbox for as long as one elevated token lives.
///
/// An overlay goes over an exported configuration and is taken away when the token ends; OpenClaw itself knows no end. Who
/// may use it is named sender by sender, every command is asked for, and what nobody answers is denied.
public struct OpenClawOverlay: Sendable, Hashable {
    /// A sender on a channel, as `tools.elevated.allowFrom` names them.
    public struct Sender: Sendable, Hashable {
        /// The channel, such as `slack`.
        public let channel: String
        /// The sender's identifier there.
        public let id: String

        /// Reads `channel:sender`; `nil` for a pattern, which would let more in than anybody named.
        public init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2, !text.contains("*"), !text.contains(where: \.isWhitespace) else { return nil }
            (channel, id) = (parts[0], parts[1])
        }
    }

    private let claims: CSTClaims
    private let policy: OpenClawPolicy
    private let senders: [Sender]

    /// Prepares an overlay.
    ///
    /// - Parameters:
    ///   - claims: those of a token whose signature and times were verified.
    ///   - scope: the scope that an elevated action of the rules gives, which the token must bear.
    ///   - policy: the WPC that the token must be pinned to.
    ///   - senders: who may use it.
    /// - Throws: ``OpenClawError`` when the token is not elevated, is of another WPC, or nobody is named.
    public init(
        _ claims: CSTClaims, scope: String, policy: OpenClawPolicy, senders: [Sender]
    ) throws(OpenClawError) {
        guard claims.scope.contains(scope) else {
            throw OpenClawError(
                .notElevated, name: scope,
                "the token does not bear the scope \(scope): ask for the elevated action, and have it approved")
        }
        guard claims.policyHash?.text == policy.hash.b64u else {
            throw OpenClawError(
                .otherPolicy, name: claims.policyHash?.text ?? "",
                "the token is not pinned to the WPC \(policy.hash.b64u)")
        }
        guard !senders.isEmpty else {
            throw OpenClawError(.notElevated, "nobody is named who may use it")
        }
        self.claims = claims
        self.policy = policy
        self.senders = senders
    }

    /// The fragment.
    public var fragment: JSONObject {
        var allowFrom = JSONObject()
        for sender in senders {
            let known = allowFrom[sender.channel]?.array ?? []
            allowFrom[sender.channel] = .array(known + [.string(sender.id)])
        }
        return [
            "tools": [
                "elevated": ["enabled": true, "allowFrom": .object(allowFrom)],
                "exec": ["security": "allowlist", "ask": "always", "strictInlineEval": true],
            ]
        ]
    }

    /// What the host's `exec-approvals.json` must hold beside it: what nobody can be asked about is denied.
    public var approvals: JSONObject {
        [
            "version": 1,
            "defaults": [
                "security": "allowlist", "ask": "always", "askFallback": "deny", "autoAllowSkills": false,
            ],
        ]
    }

    /// The fragment as JSON5 text, under comments that name the token and its end.
    public var text: String {
        """
        // Exported by clawgrant policy openclaw overlay; wpc \(policy.hash.b64u)
        // Token \(claims.tokenID?.rawValue ?? "without jti"); take this away at \(claims.expires)
        // The host's exec-approvals.json beside it: \(JSONWriter.text(.object(approvals)))

        """ + OpenClawExport.lines(.object(fragment), indent: "") + "\n"
    }
}
