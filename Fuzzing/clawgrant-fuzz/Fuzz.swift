import FuzzTargets
import Glibc

/// The entry that libFuzzer calls with each input. The target is named by `CLAWGRANT_FUZZ_TARGET`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = unsafe [UInt8](UnsafeBufferPointer(start: start, count: count))
    do {
        try selected.body(bytes)
    } catch {
        // A finding must stop the process, which is how libFuzzer learns of it and keeps the input.
        fatalError("\(selected.name): \(error)")
    }
    return 0
}

private let selected: FuzzTarget = {
    let name = unsafe getenv("CLAWGRANT_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        print("CLAWGRANT_FUZZ_TARGET must be one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(2)
    }
    return target
}()
