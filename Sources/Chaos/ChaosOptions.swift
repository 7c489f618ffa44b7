public import DevStack

/// What a campaign is to be like.
public struct ChaosOptions: Sendable {
    /// How long storms go on. Each episode's end, with drain and checks, comes on top of its last storm.
    public var duration = Duration.seconds(600)
    /// How many storms at most; as many as the time allows when `nil`.
    public var mostStorms: Int?
    /// How long one Clawgrant lives before it is drained, checked and replaced by a new one.
    public var episode = Duration.seconds(300)
    /// Seed and shape of what is done.
    public var plan: ChaosPlan
    /// How long it may take until grants flow after a storm. Longer is a finding.
    public var recoveryLimit = Duration.seconds(60)
    /// How long it may take until nothing is left to do at the end of an episode. Longer is a finding.
    public var drainLimit = Duration.seconds(180)
    /// Where the broker programs are.
    public var tools = BrokerTools.find()
    /// The program that is run as a worker and as `fsck`; `nil` is this program itself, or `clawgrant` beside it.
    public var program: String?
    /// Takes progress: one line for each storm and episode.
    public var progress: @Sendable (String) -> Void = { _ in }

    /// Makes options.
    public init(plan: ChaosPlan) { self.plan = plan }
}
