import ApprovalSources
public import GrantLedger
import ReceiptLog

/// What the reason of a dead letter means and what to do about it: the words of `docs/sources.md`.
public struct DeadLetterExplanation: Sendable, Hashable {
    /// Who can mend it.
    public enum Cure: String, Sendable, Hashable, CaseIterable {
        /// Rules or configuration: mend them, start the workers anew, redrive.
        case configuration
        /// The sender: a record that is sent anew is another record, and this one can be given up.
        case sender
        /// Time, or something that was away: redrive when it is there.
        case time
        /// Nothing: this record will never be taken.
        case nothing
    }

    /// What was wrong, in one sentence.
    public let meaning: String
    /// What to do, in one sentence.
    public let remedy: String
    /// Who can mend it.
    public let cure: Cure

    private init(_ meaning: String, _ cure: Cure, _ remedy: String) {
        self.meaning = meaning
        self.remedy = remedy
        self.cure = cure
    }

    /// The explanation of a reason's code; `nil` for a code that is not known here.
    public static func of(_ code: String) -> DeadLetterExplanation? {
        if let known = table[code] { return known }
        if ControlFault.Code(rawValue: code).map({ $0 != .unreadable && $0 != .malformed }) ?? false {
            return controlKey
        }
        // Stops and lifts that are not obeyed; docs/control-events.md has the reasons.
        if code.hasPrefix("control_") { return control }
        // Codes of the gateways' verifier are spelled as WIRE section 8.2 spells them.
        return code.allSatisfy { $0.isUppercase || $0 == "_" } && !code.isEmpty ? gateway : nil
    }

    /// Every code with an explanation of its own.
    public static var codes: [String] { table.keys.sorted() }

    /// How a dead letter's story goes on, in one sentence.
    public static func outlook(of letter: StoredDeadLetter) -> String {
        switch letter.state {
        case .discarded: return "It was given up; nothing is left to be done."
        case .redriven:
            switch letter.outcome {
            case .repeated:
                return "It was read again, and everything that it says was known; nothing is left to be done."
            case .ignored: return "It was read again and bears on nothing here; nothing is left to be done."
            case .taken, .refused, .lost, .discarded, nil:
                return "It was read again and taken; nothing is left to be done."
            }
        case .open:
            if letter.request != nil { return "A redrive was asked for and waits for a worker." }
            switch letter.outcome {
            case .refused: return "It was read again \(times(letter.hops)) and refused, the last time for this reason."
            case .lost: return "It was to be read again and is not where it stood: only its sender can send it anew."
            case .taken, .repeated, .ignored, .discarded, nil: return "Nothing was done about it yet."
            }
        }
    }

    private static func times(_ count: Int64) -> String { count == 1 ? "once" : "\(count) times" }

    private static let control = DeadLetterExplanation(
        "A stop or a lift was read and is not obeyed.", .sender,
        "Read the detail and docs/control-events.md; declare it anew with `clawgrant stop` or `clawgrant lift`.")

    private static let controlKey = DeadLetterExplanation(
        "A record of the control topic that no listed key proves, or whose key may not do what it asks for.",
        .configuration,
        "If it is genuine, list the key under control.signers of the rules with what it may do, start the workers anew "
            + "and redrive; else find out who can write to the control topic.")

    private static let gateway = DeadLetterExplanation(
        "A gateway's receipt of a model call does not verify, so that the call counts for nothing.", .sender,
        "List the gateway's key in the rules if it is yours, and have the gateway send its receipt again.")

    private static let table: [String: DeadLetterExplanation] = [
        // Codes of dead letters.
        "too_large": .init(
            "The value, a header, a text or a list is past the source's limits.", .sender,
            "Have the sender send less in one record."),
        "not_json": .init(
            "The value is not JSON that is read here: syntax, depth, repeated keys, invalid UTF-8, numbers without a "
                + "finite value.", .sender, "Mend the emitter and have it send the record anew."),
        "malformed": .init(
            "The record, or an entry of it, is JSON of another shape than the source's.", .sender,
            "Look whether the topic is read as the right kind of source; else mend the emitter."),
        "not_a_cloud_event": .init(
            "The record is neither a CloudEvent nor another form that the source takes.", .sender,
            "Look whether the topic is read as the right kind of source; else mend the emitter."),
        "invalid_attribute": .init(
            "A CloudEvents attribute is missing, repeated or breaks the specification.", .sender,
            "Mend the emitter and have it send the event anew."),
        "unsupported_type": .init(
            "The event is of a type that the source does not take.", .configuration,
            "Send such events to a topic of their own, or read the topic as the right kind of source."),
        "missing_member": .init(
            "A required member is missing.", .sender, "Mend the emitter and have it send the event anew."),
        "unknown_member": .init(
            "A member is there that the format does not know; a restriction must not be passed over.", .sender,
            "Mend the emitter, or use a version that knows the member and redrive."),
        "wrong_type": .init(
            "A member has another JSON type than the format demands.", .sender,
            "Mend the emitter and have it send the event anew."),
        "invalid_value": .init(
            "A member has a value that the format does not allow.", .sender,
            "Mend the emitter and have it send the event anew."),
        "unparseable_time": .init(
            "A time is not RFC 3339 with an offset; it never becomes the present.", .sender,
            "Mend the emitter and have it send the event anew."),
        "unsigned": .init(
            "The source is signed and the event is not.", .sender,
            "Have the emitter sign; if its topic is guarded well enough, rules can say authenticity: topic."),
        "malformed_signature": .init(
            "The signature's own form is broken, or it names an algorithm other than EdDSA.", .sender,
            "Mend the signer and have it send the event anew."),
        "unknown_signer": .init(
            "The key that signed is not listed for the source.", .configuration,
            "Find out whose key it is; if it is yours, list it under the source's signers and redrive."),
        "signature_invalid": .init(
            "The signature is not that key's over this event: it was changed on its way, or never signed.", .nothing,
            "Find out who writes to the topic; have the emitter send the event anew."),
        "signature_out_of_time": .init(
            "The signed timestamp lies too far from the arrival: it came late, was sent again, or a clock is wrong.",
            .nothing, "Look at the clocks and at what lies between; have the vendor send the event anew."),
        "batch_proof_invalid": .init(
            "The event is not in the batch whose root was signed.", .nothing,
            "Find out who writes to the topic; have the emitter send the event anew."),
        "signer_not_allowed": .init(
            "The key may not do this, or not for this job class.", .configuration,
            "If it should be allowed to, say so at the source's signer and redrive."),
        "job_class_unknown": .init(
            "Key or source is limited to job classes and the event's class cannot be told.", .configuration,
            "Map the entitlement to a job class, or have the emitter name the class; then redrive."),
        "job_class_not_allowed": .init(
            "The source may not approve or request this job class.", .configuration,
            "If it should, add the class to may_approve or may_request of the source and redrive."),
        "preflight_request": .init(
            "A capability request with preflight: true only asks what would become of it.", .sender,
            "Ask POST /v1/capabilities/preflight; send the request without preflight to have a token."),
        "receipt_mismatch": .init(
            "A receipt does not bind the request that it comes with.", .nothing,
            "Have it approved again; the two do not belong together."),
        // Codes of rejected entries.
        "not_a_valid_set": .init(
            "The token is no Security Event Token: another typ, members that such a token never has, or none that it needs.",
            .nothing, "Find out who sends it: an access token may be dressed as an event."),
        "wrong_audience": .init(
            "The Security Event Token is meant for somebody else.", .configuration,
            "Correct the stream's aud, or the source's audience and redrive."),
        "tenant_mismatch": .init(
            "The tenant of the record and of its resource differ, or one is missing.", .nothing,
            "Find out who writes to the topic."),
        "unknown_tenant": .init(
            "The tenant is not allow-listed.", .configuration,
            "If it is yours, list it under the source's tenants and redrive."),
        "untrusted_source": .init(
            "The CloudEvents source is not listed for this kind of event.", .configuration,
            "If it is yours, list it under trusted_event_sources or trusted_stop_sources and redrive."),
        "no_request_id": .init(
            "A decision or a window names no request and cannot be joined with one.", .sender,
            "Look at the record and mend the emitter."),
        "no_subject": .init("An end or an invalidation names nobody.", .nothing, "Revoke by hand: `clawgrant revoke`."),
        "no_entitlement": .init(
            "An end by subject names no entitlement.", .nothing, "Revoke by hand: `clawgrant revoke`."),
        "contradictory_record": .init(
            "The members of the record that tell its step contradict each other.", .sender,
            "Look at the record: of an approval that is genuine, the vendor's portal tells."),
        "no_approver": .init(
            "An approval is without an approver.", .sender, "Mend the emitter; have it approved again."),
        "request_names_other_approval": .init(
            "The request inside an approval names another approval.", .sender,
            "Mend the emitter; have it approved again."),
        // Codes of the worker.
        "unknown_topic": .init(
            "No source reads the topic of the record.", .configuration,
            "Name the topic under a source of the rules, or in the configuration as that of control events or gateway "
                + "receipts, and redrive."),
        ControlRedrive.declareAnew: .init(
            "A control event that gives something back, or a drill: such a record is not read again.", .sender,
            "Declare it anew with `clawgrant lift`, `control` or `drill`; then discard the dead letter."
        ),
        "GATEWAY_RECEIPT_TOO_OLD": .init(
            "The call of a gateway's receipt is on a day whose receipts are archived: a repeat could not be told.",
            .nothing, "The call counts for nothing; look for a gateway that sends its receipts late."),
        "confirmation_unavailable": .init(
            "The source demands confirmation by the vendor's API, which could not be asked.", .time,
            "See to the connection with the vendor and redrive."),
        "event_without_identity": .init(
            "The event has no identifier or no time, so that a repeat could not be told.", .sender,
            "Mend the emitter and have it send the event anew."),
        "event_in_the_future": .init(
            "The event is dated further ahead than limits.max_event_ahead_s allows.", .time,
            "Set the emitter's clock right; redrive when the event's time has come."),
        "event_too_old": .init(
            "The event is dated further back than limits.max_event_age_s, or max_event_age of its source, allows.",
            .nothing, "Have it approved again."),
        "event_conflict": .init(
            "The event's identifier is known with another content: one of the two is not what its source said.",
            .nothing,
            "Find out which of the two is genuine; have it approved again under an identifier of its own."),
        "request_conflict": .init(
            "The request in it was made before with another content.", .nothing,
            "Make the request anew under an identifier of its own."),
        "control_key_signs_no_tokens": .init(
            "A key was suspected that signs receipts or envelopes and no tokens: nothing would be void.", .nothing,
            "Change that key as docs/security/key-ceremony.md says; if tokens are in danger, suspect the key of purpose "
                + "token, or stop with `clawgrant stop`."),
        "control_unauthenticated": .init(
            "A stop or a lift of a source that is not signed; stops and lifts are taken from signed sources only.",
            .sender, "Declare it with `clawgrant stop` or `clawgrant lift`, or on the control topic."),
        "record_gone": .init(
            "The record does not stand in its topic any more.", .nothing,
            "Have the sender send it anew; then discard the dead letter."),
        "record_replaced": .init(
            "Another record stands at the record's place: the topic was made anew.", .nothing,
            "Have the sender send it anew; then discard the dead letter."),
        "GATEWAY_TEXT_UNUSABLE": .init(
            "A text of a gateway's receipt is too long or has control characters.", .sender,
            "Mend the gateway; the call counts for nothing."),
    ]
}
