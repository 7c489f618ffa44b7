public import ClawWire

/// A person or a system that acted on an approval, by the stable identifier of its directory.
public struct Actor: Sendable, Hashable {
    /// Whether the identifier names a human; only humans count as approvers.
    public enum Kind: String, Sendable, Hashable {
        /// A human being.
        case human
        /// The platform or an application.
        case system
    }

    /// Stable identifier, in lower case where the directory compares without case.
    public let id: PersonID
    /// Display name, for people who read; never compared.
    public let name: String?
    /// User principal name or mail address, for people who read; never compared.
    public let upn: String?
    /// Human or system.
    public let kind: Kind

    /// Makes an actor.
    public init(id: PersonID, name: String? = nil, upn: String? = nil, kind: Kind = .human) {
        self.id = id
        self.name = name
        self.upn = upn
        self.kind = kind
    }
}

/// What a vendor's approval entitles to: a role, a group, a package, a change, an environment.
public struct Entitlement: Sendable, Hashable {
    /// The kind of entitlement. The text is the wire form.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A directory role of Microsoft Entra.
        case entraRole = "entra_role"
        /// A group membership or ownership; the scope says which.
        case group
        /// An Azure resource role; the scope is the resource.
        case azureRole = "azure_role"
        /// An access package of entitlement management.
        case accessPackage = "access_package"
        /// A change request of an IT service management system.
        case changeRequest = "change_request"
        /// A request type of Jira Service Management.
        case jsmRequestType = "jsm_request_type"
        /// A deployment environment.
        case githubEnvironment = "github_environment"
    }

    /// Kind of entitlement.
    public let kind: Kind
    /// Identifier in the vendor's system, compared without case.
    public let id: String
    /// Scope in the vendor's system, compared without case; `nil` where the kind has none.
    public let scope: String?
    /// Display name, for people who read; never compared.
    public let name: String?

    /// Makes an entitlement.
    public init(kind: Kind, id: String, scope: String? = nil, name: String? = nil) {
        self.kind = kind
        self.id = id
        self.scope = scope
        self.name = name
    }
}

/// A ticket in another system that an approval or a request refers to.
public struct Ticket: Sendable, Hashable {
    /// The system, as its source spells it.
    public let system: String?
    /// The number, its ASCII letters in capitals: people write it either way, and it is the same ticket.
    public let number: String?
    /// Makes a ticket.
    public init(system: String?, number: String?) {
        self.system = system
        self.number = number.map(Self.folded)
    }

    /// A ticket's number with its ASCII letters in capitals.
    public static func folded(_ number: String) -> String {
        guard number.utf8.contains(where: { $0 >= 0x61 && $0 <= 0x7A }) else { return number }
        return String(decoding: number.utf8.map { $0 >= 0x61 && $0 <= 0x7A ? $0 & 0xDF : $0 }, as: UTF8.self)
    }
}

/// A text written by a person, kept in part: a prefix of at most 4096 characters and the digest of the whole.
public struct Justification: Sendable, Hashable {
    /// Most characters that are kept.
    public static let keptCharacters = 4_096
    /// The text, or its first 4096 characters.
    public let text: String
    /// SHA-256 of the UTF-8 bytes of the whole text.
    public let digest: Digest
    /// Characters (Unicode scalars) of the whole text.
    public let characters: Int
    /// True when ``text`` is not the whole.
    public var isTruncated: Bool { characters > Self.keptCharacters }

    /// Keeps a text.
    public init(_ whole: String) {
        digest = Digest(hashing: whole)
        characters = whole.unicodeScalars.count
        text =
            characters > Self.keptCharacters
            ? String(String.UnicodeScalarView(whole.unicodeScalars.prefix(Self.keptCharacters))) : whole
    }

    /// Restores a kept text from its stored parts.
    public init(text: String, digest: Digest, characters: Int) {
        self.text = text
        self.digest = digest
        self.characters = characters
    }
}

/// What a source's record says, in the common vocabulary of all sources.
///
/// A record yields one or more facts; facts of one approval are joined by ``approvalID`` into an ``ApprovalState``,
/// whatever their order.
public struct Fact: Sendable, Hashable {
    /// What happened.
    public enum Content: Sendable, Hashable {
        /// An approval was asked for.
        case requestOpened
        /// The question was sent to approvers.
        case requestRouted
        /// An approver said yes; `nil` when the record does not say who, which counts for nobody.
        case decisionApproved(approver: Actor?)
        /// An approver said no. Final.
        case decisionDenied(approver: Actor?)
        /// Nobody answered in time. Final.
        case decisionTimedOut
        /// The requester took the question back. Final.
        case decisionCanceled
        /// The approved window began.
        case grantStarted(notBefore: Timestamp?, notAfter: Timestamp?)
        /// The window was changed by an extension or renewal, which is no approval.
        case grantChanged(notBefore: Timestamp?, notAfter: Timestamp?)
        /// The grant is over; tokens that rest on it are revoked. Terminal.
        case grantEnded(EndReason)
        /// The entitlement was assigned without an approval.
        case grantDirect(assignedBy: Actor?, outsidePIM: Bool, notBefore: Timestamp?, notAfter: Timestamp?)
        /// Everything that rests on ``Fact/subject`` is void.
        case subjectInvalidated(reason: String)
        /// A job asks for a token.
        case capabilityRequested(CapabilityRequest)
        /// A stop was declared.
        case stopDeclared(StopDeclaration)
        /// A stop was lifted.
        case stopLifted(StopLift)
        /// The record is not ours or changes nothing.
        case ignored(why: String)
        /// The record is refused: `why` is a machine code, documented in `docs/sources.md`.
        case rejected(why: String)
    }

    /// Why a grant ended.
    public enum EndReason: String, Sendable, Hashable, CaseIterable {
        /// The holder gave it back.
        case deactivated
        /// The window passed.
        case expired
        /// An administrator or a review took it away.
        case removed
        /// The eligibility behind it was taken away.
        case eligibilityRemoved = "eligibility_removed"
        /// The directory says so before the approval system does.
        case removedInDirectory = "removed_in_directory"
        /// The change behind it was canceled.
        case changeCanceled = "change_canceled"
        /// The change behind it was closed.
        case changeClosed = "change_closed"
    }

    /// Index of the record within its message, from 0.
    public var recordIndex: Int
    /// The vocabulary the record came in, for example `entra.audit`, `claw.native`, `claw.request`.
    public var source: String
    /// The source's identifier of the record; with the configured source's name the key of repeat detection.
    public var sourceEventID: SourceEventID?
    /// When it happened, by the source's clock.
    public var occurredAt: Timestamp?
    /// The approval it belongs to; `nil` where the record names only a subject and an entitlement.
    public var approvalID: ApprovalID?
    /// The person the entitlement is for.
    public var subject: Actor?
    /// The person who asked.
    public var requester: Actor?
    /// Everyone who answered as ``content`` says, in the record's order, where the record tells several answers at once;
    /// the first of them is the approver of ``content``.
    public var approvers: [Actor] = []
    /// What is granted.
    public var entitlement: Entitlement?
    /// What is held or taken away, where the record names it by the vendor's own identifier.
    public var assignment: AssignmentID?
    /// The job class that the record itself names, where the source's mapping says that it may.
    public var jobClass: JobClass?
    /// The requester's text.
    public var justification: Justification?
    /// The approver's text.
    public var approverJustification: Justification?
    /// The ticket named.
    public var ticket: Ticket?
    /// How much the calls of the jobs that rest on the approval may use.
    public var budget: Budget?
    /// True for an ignored record that changes what approvals rest on: whether ``entitlement`` has to be approved, and by
    /// whom. It decides nothing and is told; ``requester`` is who changed it.
    public var changesSettings = false
    /// SHA-256 of the canonical (RFC 8785) record: the evidence.
    public var recordDigest: Digest?
    /// What happened.
    public var content: Content

    /// Makes a fact with the members that every fact has; set the others afterwards.
    public init(
        recordIndex: Int, source: String, sourceEventID: SourceEventID?, occurredAt: Timestamp?,
        approvalID: ApprovalID? = nil, content: Content
    ) {
        self.recordIndex = recordIndex
        self.source = source
        self.sourceEventID = sourceEventID
        self.occurredAt = occurredAt
        self.approvalID = approvalID
        self.content = content
    }
}

/// What a stop covers.
public struct StopScope: Sendable, Hashable {
    /// The dimension of the scope; the text is the wire form.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Everything.
        case all
        /// A job class by name.
        case jobClass = "job_class"
        /// An agent by DID.
        case agent
        /// A person by identifier.
        case subject
        /// An approval by identifier.
        case approval
        /// A request by identifier.
        case request
        /// An entitlement: `kind:id`, or `kind:id:scope`, compared without case.
        case entitlement
        /// A WPC by hash, base64url.
        case policyHash = "policy_hash"
        /// A WPC by policy id.
        case policyID = "policy_id"
        /// A configured source by name.
        case source
        /// A signing key by `kid`.
        case issuerKey = "issuer_key"
        /// A job by identifier, claim `mission_id`.
        case job
        /// A token by hash, lowercase hexadecimal. Only for revocations.
        case token = "token_hash"
        /// A token by claim `jti`. Only for revocations.
        case jti
    }
    /// Dimension.
    public let kind: Kind
    /// Value in that dimension; `nil` for ``Kind/all``.
    public let value: String?
    /// Makes a scope.
    public init(kind: Kind, value: String?) {
        self.kind = kind
        self.value = value
    }
}

/// A stop as its source declared it.
public struct StopDeclaration: Sendable, Hashable {
    /// Identifier of the stop.
    public let stopID: String
    /// What it covers.
    public let scope: StopScope
    /// True when live tokens are revoked too.
    public let revokesLive: Bool
    /// Why.
    public let reason: String?
    /// Incident number.
    public let incident: String?
    /// Who declared it; whoever cannot be read stands among them as ``Actor/unreadable``. Empty when nobody is named.
    public let declaredBy: [Actor]
    /// True when the declaration could not be read in full and covers everything for that reason.
    public let isWidened: Bool
    /// Makes a declaration.
    public init(
        stopID: String, scope: StopScope, revokesLive: Bool, reason: String?, incident: String?, declaredBy: [Actor],
        isWidened: Bool = false
    ) {
        self.stopID = stopID
        self.scope = scope
        self.revokesLive = revokesLive
        self.reason = reason
        self.incident = incident
        self.declaredBy = declaredBy
        self.isWidened = isWidened
    }
}

extension StopDeclaration {
    /// Makes a declaration of one person, or of nobody who is named.
    public init(
        stopID: String, scope: StopScope, revokesLive: Bool, reason: String?, incident: String?, declaredBy: Actor?,
        isWidened: Bool = false
    ) {
        self.init(
            stopID: stopID, scope: scope, revokesLive: revokesLive, reason: reason, incident: incident,
            declaredBy: declaredBy.map { [$0] } ?? [], isWidened: isWidened)
    }
}

extension StopDeclaration {
    /// The declarer as an object, or several as an array; `nil` when nobody is named.
    public var declarersJSON: JSONValue? {
        guard let first = declaredBy.first else { return nil }
        return declaredBy.count == 1 ? first.json : .array(declaredBy.map(\.json))
    }
}

extension Actor {
    /// Stands for a declarer who cannot be read: someone of whom nobody can say that another is not the same.
    public static let unreadable = Actor(id: PersonID("(unreadable)"), kind: .system)
}

/// A lift as its source declared it.
public struct StopLift: Sendable, Hashable {
    /// The stop that is lifted.
    public let stopID: String
    /// The people who lift it.
    public let liftedBy: [Actor]
    /// The fresh approval it rests on.
    public let reapproval: ApprovalID?
    /// The new WPC it rests on.
    public let policyHash: Digest?
    /// The scope that the lift names, to check against the stop's; it lifts no more than the stop it names.
    public let scope: StopScope?
    /// Makes a lift.
    public init(
        stopID: String, liftedBy: [Actor], reapproval: ApprovalID?, policyHash: Digest?, scope: StopScope? = nil
    ) {
        self.stopID = stopID
        self.liftedBy = liftedBy
        self.reapproval = reapproval
        self.policyHash = policyHash
        self.scope = scope
    }
}
