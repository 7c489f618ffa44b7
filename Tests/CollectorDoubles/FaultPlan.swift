import Primitives

/// What goes wrong with the next requests: one after the other as a test lists them, or at random from a seed.
public final class FaultPlan<Fault: Sendable>: Sendable {
    private struct State {
        var listed: [(path: String, fault: Fault)] = []
        var random: (state: UInt64, oneIn: UInt64, faults: [Fault])?
        var fired = 0
    }

    private let state = Lock(State())

    /// Nothing goes wrong.
    public init() {}

    /// Makes the next requests fail whose path holds `path`, one for each fault.
    public func fail(_ path: String, _ faults: Fault...) {
        state.withLock { state in state.listed += faults.map { (path, $0) } }
    }

    /// Makes about one request of so many fail, until ``heal()``.
    public func failAtRandom(seed: UInt64, oneIn: UInt64, _ faults: [Fault]) {
        state.withLock { $0.random = (seed, oneIn, faults) }
    }

    /// Ends all faults.
    public func heal() {
        state.withLock { state in
            state.listed = []
            state.random = nil
        }
    }

    /// How many faults there were.
    public var fired: Int { state.withLock { $0.fired } }

    /// The fault of a request.
    func next(_ path: String) -> Fault? {
        state.withLock { state in
            if let index = state.listed.firstIndex(where: { path.contains($0.path) }) {
                state.fired += 1
                return state.listed.remove(at: index).fault
            }
            guard var random = state.random else { return nil }
            // SplitMix64.
            func draw() -> UInt64 {
                random.state &+= 0x9E37_79B9_7F4A_7C15
                var mixed = random.state
                mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
                mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
                return mixed ^ (mixed >> 31)
            }
            defer { state.random = random }
            guard draw() % random.oneIn == 0, !random.faults.isEmpty else { return nil }
            state.fired += 1
            return random.faults[Int(draw() % UInt64(random.faults.count))]
        }
    }
}
