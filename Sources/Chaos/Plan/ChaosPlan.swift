/// What happens to one worker at one moment of a storm.
public struct WorkerAction: Sendable, Hashable {
    /// What happens.
    public enum Kind: Sendable, Hashable {
        /// SIGKILL, and a new start so many milliseconds later.
        case kill(pause: Int)
        /// SIGSTOP, and SIGCONT so many milliseconds later; or SIGKILL then, where it never wakes up.
        case freeze(lasting: Int, forEver: Bool)
        /// SIGTERM, and a new start.
        case retire
    }

    /// When, in milliseconds from the beginning of the storm.
    public let at: Int
    /// What.
    public let kind: Kind
}

/// Records that are sent at one moment of a storm.
public struct Burst: Sendable, Hashable {
    /// When, in milliseconds from the beginning of the storm.
    public let at: Int
    /// Requests, refusals and the like, without repeats.
    public let count: Int
    /// How often each record is delivered.
    public let copies: Int
    /// What is in it.
    public let choice: UInt64
}

/// Some seconds in which things go wrong while load goes on. Behind it comes calm, in which they must go on again.
public struct Storm: Sendable, Hashable {
    /// Its place in the plan, from 0.
    public let number: Int
    /// Faults in the order in which they begin.
    public let faults: [PlannedFault]
    /// What happens to each worker, in order.
    public let workers: [[WorkerAction]]
    /// What is sent, in order.
    public let bursts: [Burst]
    /// How long it lasts, in milliseconds; every fault is over by then.
    public let length: Int
}

/// What is done to a Clawgrant: a function of seed and shape, so that a campaign can be run again.
///
/// The plan says when each thing is done. What it meets then is up to the machine: a campaign that is run again does the
/// same to other moments.
public struct ChaosPlan: Sendable, Hashable {
    /// What beside the seed decides the plan.
    public struct Shape: Sendable, Hashable {
        /// Worker processes.
        public var workers = 3
        /// Kills a second over all workers, as a goal: a worker that is not back yet cannot be killed again.
        public var killsPerSecond = 2.0
        /// Faults of each storm.
        public var faultsPerStorm = 2
        /// The kinds that are dealt.
        public var kinds = FaultKind.allCases

        /// The usual shape.
        public init() {}
    }

    /// The seed.
    public let seed: UInt64
    /// The shape.
    public let shape: Shape

    /// Makes a plan.
    public init(seed: UInt64, shape: Shape = Shape()) {
        self.seed = seed
        self.shape = shape
    }

    private enum Purpose {
        static let deck: UInt64 = 1
        static let storm: UInt64 = 2
    }

    /// A storm of the plan; storms go on without end.
    ///
    /// Kinds are dealt like cards: none comes again before all have come.
    public func storm(_ number: Int) -> Storm {
        var dice = Dice(seed: seed, Purpose.storm, UInt64(number))
        let faults = (0..<shape.faultsPerStorm).compactMap { kind(number * shape.faultsPerStorm + $0) }
            .reduce(into: [PlannedFault]()) { $0.append(Self.place($1, behind: $0, &dice)) }
            .sorted { ($0.at, $0.kind.rawValue) < ($1.at, $1.kind.rawValue) }
        let length = max(4_000, faults.map(\.end).max() ?? 0) + dice.roll(500...1_500)
        return Storm(
            number: number, faults: faults, workers: actions(through: length, &dice),
            bursts: Self.bursts(through: length, &dice), length: length)
    }

    /// The kind of a fault, counted over all storms.
    func kind(_ index: Int) -> FaultKind? {
        guard !shape.kinds.isEmpty else { return nil }
        var dice = Dice(seed: seed, Purpose.deck, UInt64(index / shape.kinds.count))
        return shape.kinds.shuffled(using: &dice)[index % shape.kinds.count]
    }

    private static func place(
        _ kind: FaultKind, behind earlier: [PlannedFault], _ dice: inout Dice
    ) -> PlannedFault {
        let lasting = dice.roll(kind.lasting)
        var at = dice.roll(300...2_000)
        if let busy = earlier.filter({ $0.kind.target == kind.target }).map(\.end).max() {
            at = max(at, busy + dice.roll(200...800))
        }
        return PlannedFault(kind: kind, at: at, lasting: lasting, choice: dice.next())
    }

    private func actions(through length: Int, _ dice: inout Dice) -> [[WorkerAction]] {
        let pace = 1_000 * Double(shape.workers) / max(0.01, shape.killsPerSecond)
        // Where all die all the time nothing is decided, and nothing is interrupted.
        let spared = dice.chance(50) ? dice.roll(0...max(0, shape.workers - 1)) : nil
        let massacre = dice.chance(25) ? dice.roll(500...length) : nil
        return (0..<shape.workers).map { worker in
            let mean = Int(worker == spared ? pace * 4 : pace)
            var actions: [WorkerAction] = []
            var at = dice.roll(0...mean)
            while at < length {
                actions.append(WorkerAction(at: at, kind: Self.kind(&dice)))
                at += dice.roll((mean / 4)...(mean * 7 / 4))
            }
            if let massacre { actions.append(WorkerAction(at: massacre, kind: .kill(pause: 0))) }
            return actions.sorted { $0.at < $1.at }
        }
    }

    private static func kind(_ dice: inout Dice) -> WorkerAction.Kind {
        switch dice.roll(0...99) {
        case ..<84: .kill(pause: 0)
        case ..<90: .kill(pause: dice.roll(200...2_500))
        case ..<97: .freeze(lasting: dice.roll(200...7_000), forEver: dice.chance(30))
        default: .retire
        }
    }

    private static func bursts(through length: Int, _ dice: inout Dice) -> [Burst] {
        var bursts: [Burst] = []
        var at = dice.roll(0...300)
        while at < length {
            bursts.append(Burst(at: at, count: dice.roll(3...9), copies: dice.roll(1...3), choice: dice.next()))
            at += dice.roll(300...1_100)
        }
        return bursts
    }
}
