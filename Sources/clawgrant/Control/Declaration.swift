import ApprovalSources
import ClawWire
import GrantWorker
import IssuanceRules
import Keys

/// A control event that a command is about to declare.
struct Declaration {
    let options: DeclarationOptions
    let operation: ControlOperation
    /// The event's identifier within its source.
    let id: String
    /// What a person types to confirm; `nil` asks nothing.
    let word: String?
    let declaredAt: Timestamp

    init(_ options: DeclarationOptions, _ operation: ControlOperation, id: String, word: String?, at now: Timestamp) {
        self.options = options
        self.operation = operation
        self.id = id
        self.word = word
        declaredAt = now
    }

    /// The event as it goes straight to the ledger. It has the identifier that it would have over the topic.
    var event: ControlEvent {
        ControlEvent(
            id: ControlEventID("\(options.eventSource) \(id)"), declaredAt: declaredAt, declaredBy: options.people,
            origin: .ledger(by: PersonID(DeclarationOptions.operatingSystemUser)), operation: operation,
            reason: options.reason, incident: options.incident)
    }

    /// The event as a CloudEvent without a signature.
    var cloudEvent: CloudEvent {
        ControlEmitter.event(
            operation, id: id, source: options.eventSource, by: options.people, at: declaredAt, reason: options.reason,
            incident: options.incident)
    }

    /// True for what takes away, and for a drill of it: nothing but the ledger may keep it from being declared.
    var isUrgent: Bool { operation.kind.isRestrictive || operation.kind == .drill }

    /// The issuance rules; `nil`, after a warning, when they cannot be read and the event is urgent.
    ///
    /// - Throws: when they cannot be read and the event gives back.
    func rules(_ file: ConfigurationFile) throws -> RuleSet? {
        do {
            return try file.rules()
        } catch let failure as CommandFailure where isUrgent {
            Console.error(
                "warning: \(failure.message)\nwarning: going on without rules: names are not checked, and what is taken "
                    + "away holds all the same")
            return nil
        }
    }

    /// Refuses to suspect a key of this log before anything is asked or sent: tokens are never signed with it. Workers
    /// refuse it as well, whoever sends it.
    func refuseUseless(_ file: ConfigurationFile) throws {
        guard case .suspectKey(let suspect) = operation,
            let keys = try? KeyRing.load(file.worker.keys, required: [], at: declaredAt),
            let key = keys.inventory().first(where: { $0.kid == suspect.kid }), key.configuration.purpose != .token
        else { return }
        throw CommandFailure.negative(
            "\(suspect.kid) is a key of purpose \(key.configuration.purpose), which signs no tokens: nothing would be void",
            remedy: ControlRefusal.signsNoTokens.remedy)
    }

    /// Declares the event the way that the options say.
    func declare() async throws {
        guard !options.isPrinted else {
            Console.out(cloudEvent.structuredJSON)
            return
        }
        let file = try options.source.load()
        if options.viaTopic {
            try await TopicDeclaration(self, file).declare()
        } else {
            try await LedgerDeclaration(self, file).declare()
        }
    }

    /// Asks whoever is at the keyboard to type the word.
    func confirm() throws {
        guard let word, !options.yes else { return }
        Console.prompt("Type \(Console.plain(word)) to go on: ")
        guard let answer = readLine(strippingNewline: true) else {
            throw CommandFailure.usage("nobody confirmed, so nothing was declared; machines pass --yes")
        }
        guard ExactText.equal(ExactText.trimmed(answer), ExactText.trimmed(word)) else {
            throw CommandFailure.negative("that is not \(Console.plain(word)): nothing was declared")
        }
    }

    /// What the event does, in a few words.
    var title: String {
        switch operation {
        case .stop(let stop):
            "stop of \(stop.scope.text), \(stop.revokesLive ? "revoke_and_deny" : "deny_new")"
        case .lift(let lift): "lift of \(lift.stopID)"
        case .revoke(let revocation):
            "revocation of \(revocation.scope.text)"
                + (revocation.permitsReapproval ? ", what is approved later may be issued" : "")
        case .rotatePolicy(let rotation):
            "\(rotation.jobClass) uses the WPC \(rotation.to) instead of \(rotation.from?.b64u ?? "every other"), "
                + (rotation.running == .keep ? "running tokens keep their pin" : "running tokens are revoked")
        case .disableElevated(let stop):
            "no elevated grants for \(stop.reach.scope.text), "
                + (stop.revokesLive ? "live ones are revoked" : "live ones run out")
        case .enableElevated(let reach): "elevated grants for \(reach.scope.text) again"
        case .requireProxy(let order):
            "only WPCs that force the proxy for \(order.reach.scope.text), "
                + (order.revokesLive ? "live tokens under others are revoked" : "live tokens under others run out")
        case .releaseProxy(let reach): "the proxy is not forced any more for \(reach.scope.text)"
        case .suspectKey(let suspect):
            "the key \(suspect.kid) is out for good, with "
                + (suspect.since.map { "what it signed since \($0)" } ?? "all that it ever signed")
        case .drill(let drill): "drill of a stop of \(drill.scope.text): nothing is denied"
        }
    }

    /// Fails when the event was understood and not obeyed.
    func check(_ result: ControlOutcome.Result) throws {
        switch result {
        case .applied, .appliedAndLifted, .repeated, .withoutEffect, .pendingLift: return
        case .refused(let why):
            throw CommandFailure.negative(
                "the \(operation.kind.rawValue) of \(event.handle) is not obeyed (\(why.rawValue)): \(why.finding)",
                remedy: why.remedy)
        }
    }
}

extension ControlOutcome.Result {
    /// The result for machines; that of the control results.
    var name: String {
        switch self {
        case .applied: "applied"
        case .appliedAndLifted: "applied_and_lifted"
        case .pendingLift: "pending"
        case .repeated: "repeated"
        case .withoutEffect: "without_effect"
        case .refused(let why): why.rawValue
        }
    }
}

extension ControlRefusal {
    /// What is wrong, for people.
    var finding: String {
        switch self {
        case .tooFewPeople: "it takes more people to lift than declared the stop, and never fewer than the rules say"
        case .liftedByDeclarer: "somebody who declared the stop lifts it"
        case .noAuthority: "it rests neither on an approval nor on a WPC"
        case .approvalNotGranted: "the approval is unknown or not granted"
        case .approvalNotFresh: "the approval's last decision is not younger than the stop"
        case .policyNotVerified: "the WPC was not found, or does not stand"
        case .policyNotNew: "the WPC was in use before, was rotated away, or is what was stopped"
        case .scopeMismatch: "it names another scope than its stop"
        case .forGood: "what was revoked there never comes back"
        case .signerNotAllowed: "the key may not lift stops of this scope"
        case .olderThanRestriction: "it is not younger than what it would end"
        case .datedInFuture: "it is dated in the future"
        case .signsNoTokens: "the key signs no tokens: nothing would be void"
        }
    }

    /// What to do about it.
    var remedy: String {
        switch self {
        case .tooFewPeople: "name more people with --by"
        case .liftedByDeclarer: "have others lift it"
        case .noAuthority: "give --approval or --policy-hash"
        case .approvalNotGranted: "have it approved, and wait until a worker has read the decision"
        case .approvalNotFresh: "have it approved again, now"
        case .policyNotVerified: "publish it, signed by a key that the rules list under wpc.signers"
        case .policyNotNew: "publish another one"
        case .scopeMismatch: "leave the scope out"
        case .forGood: "send a new request on a new approval"
        case .signerNotAllowed: "have somebody sign whose key may"
        case .olderThanRestriction, .datedInFuture: "synchronise the clocks and declare it again under another --id"
        case .signsNoTokens:
            "change it as docs/security/key-ceremony.md says; suspect the key of purpose token; to keep workers from "
                + "issuing meanwhile, `clawgrant stop --all`"
        }
    }
}
