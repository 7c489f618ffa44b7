import Glibc

extension FuzzTarget {
    /// The target that `CLAWGRANT_FUZZ_TARGET` names; without one the process ends with the names that there are.
    package static func selected(of targets: [FuzzTarget]) -> FuzzTarget {
        let name = unsafe getenv("CLAWGRANT_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
        guard let target = targets.first(where: { $0.name == name }) else {
            print(targets.map(\.name).joined(separator: "\n"))
            exit(2)
        }
        return target
    }

    /// Runs the target on one input. A finding stops the process, which is how libFuzzer learns of it and keeps the input.
    package func run(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
        do {
            try body(bytes)
        } catch {
            fatalError("\(name): \(error)")
        }
    }
}
