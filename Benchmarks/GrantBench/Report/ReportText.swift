extension BenchReport {
    /// The report as Markdown tables.
    public var text: String {
        var lines = [
            "\(machine.processors) × \(machine.processor), \(machine.memory) MiB, \(machine.kernel); "
                + "\(options.workers) workers of \(options.lanes) lanes, \(options.isQuick ? "quick" : "full") run",
            "", "| figure | value | unit | load |", "| --- | ---: | --- | ---: |",
        ]
        lines += figures.map {
            "| \($0.name) | \($0.text) | \($0.unit.rawValue) | \(Figure.rounded($0.load, digits: 1)) |"
        }
        let ratios = ratios
        if !ratios.isEmpty {
            lines += ["", "| ratio | value |", "| --- | ---: |"]
            lines += ratios.map { "| \($0.name) | \(Figure.rounded($0.value, digits: 3)) |" }
        }
        lines += ["", "| aim | bound | measured | met |", "| --- | ---: | ---: | --- |"]
        for aim in aims {
            guard let measured = aim.measured, let isMet = aim.isMet else { continue }
            lines.append(
                "| \(aim.figure) | \(aim.isLowerBound ? "≥" : "≤") \(Figure.rounded(aim.bound, digits: 1)) "
                    + "| \(Figure.rounded(measured, digits: 1)) | \(isMet ? "yes" : "no") |")
        }
        return lines.joined(separator: "\n")
    }
}
