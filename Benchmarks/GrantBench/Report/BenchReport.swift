public import ClawWire

/// An aim and what was measured.
public struct BenchAim: Sendable, Hashable {
    /// Name of the figure.
    public let figure: String
    /// The bound.
    public let bound: Double
    /// Whether the figure should be at least the bound, or at most.
    public let isLowerBound: Bool
    /// What was measured, if it was.
    public let measured: Double?

    /// Whether the aim is reached; `nil` when it was not measured.
    public var isMet: Bool? { measured.map { isLowerBound ? $0 >= bound : $0 <= bound } }
}

/// Everything that a benchmark measured.
public struct BenchReport: Sendable {
    /// The machine.
    public let machine: Machine
    /// What was run.
    public let options: BenchOptions
    /// Figures in the order of their making.
    public private(set) var figures: [Figure] = []
    /// Why the run ended before its end: records are not as they must be (``BenchError``), or servers or clients failed.
    public internal(set) var failure: (any Error)?

    init(machine: Machine, options: BenchOptions) {
        self.machine = machine
        self.options = options
    }

    mutating func add(_ name: String, _ value: Double, _ unit: FigureUnit) {
        figures.append(Figure(name: name, value: value, unit: unit, load: Machine.load()))
    }

    /// The figure of a name.
    public func value(_ name: String) -> Double? { figures.last { $0.name == name }?.value }

    /// The aims of the project on two processors, with what was measured.
    public var aims: [BenchAim] {
        func aim(_ figure: String, atLeast bound: Double) -> BenchAim {
            BenchAim(figure: figure, bound: bound, isLowerBound: true, measured: value(figure))
        }
        func aim(_ figure: String, atMost bound: Double) -> BenchAim {
            BenchAim(figure: figure, bound: bound, isLowerBound: false, measured: value(figure))
        }
        return [
            aim("batch.decisions_per_second", atLeast: 6_000), aim("single.decisions_per_second", atLeast: 3_500),
            aim("latency.1000.p99", atMost: 40), aim("batch.worker_cpu_per_decision", atMost: 80),
            aim("batch.worker_memory", atMost: 150), aim("repeats.refused_per_second", atLeast: 50_000),
            aim("restart.max", atMost: 2_000),
            aim("million.decisions_per_second", atLeast: 6_000),
            aim("million.worker_memory", atMost: 150), aim("stop.acknowledged.p99", atMost: 50),
            aim("stop.frozen.max", atMost: 1_000), aim("stop.topic_to_cutoff.p99", atMost: 150),
            aim("stop.many_to_few_ratio", atMost: 1.5), aim("stop.tokens_per_second", atLeast: 20_000),
            aim("stop.grants_past_line", atMost: 0),
        ]
    }

    /// The limits measured alone.
    public var limits: [Figure] { figures.filter { $0.name.hasPrefix("limit.") } }

    /// What the whole reaches of each limit.
    public var ratios: [(name: String, value: Double)] {
        guard let peak = value("batch.decisions_per_second") else { return [] }
        return limits.filter { $0.unit == .perSecond && $0.value > 0 }.map {
            ("decisions_to_\($0.name.dropFirst("limit.".count))", peak / $0.value)
        }
    }

    /// The report as one JSON object.
    public var json: JSONValue {
        func number(_ value: Double) -> JSONValue { .number((value * 1_000).rounded() / 1_000) }
        let figures = figures.map { figure -> JSONValue in
            [
                "name": .string(figure.name), "value": number(figure.value), "unit": .string(figure.unit.rawValue),
                "load": number(figure.load),
            ]
        }
        var limits = JSONObject()
        for figure in self.limits { limits[String(figure.name.dropFirst("limit.".count))] = number(figure.value) }
        var ratios = JSONObject()
        for ratio in self.ratios { ratios[ratio.name] = number(ratio.value) }
        let aims = aims.map { aim -> JSONValue in
            [
                "figure": .string(aim.figure), (aim.isLowerBound ? "at_least" : "at_most"): number(aim.bound),
                "measured": aim.measured.map(number) ?? .null, "met": aim.isMet.map { .bool($0) } ?? .null,
            ]
        }
        return [
            "bench_version": "1", "mode": .string(options.isQuick ? "quick" : "full"),
            "workers": .integer(options.workers), "lanes": .integer(options.lanes),
            "events_per_signature": .integer(options.eventsPerSignature), "machine": machine.json,
            "figures": .array(figures), "limits": .object(limits), "ratios": .object(ratios), "aims": .array(aims),
        ]
    }
}
