import FuzzTargets

/// The entry that libFuzzer calls once. Without a target the process ends here, before libFuzzer takes an end for a finding.
@_cdecl("LLVMFuzzerInitialize")
public func fuzzInitialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    _ = selected
    return 0
}

/// The entry that libFuzzer calls with each input. The target is named by `CLAWGRANT_FUZZ_TARGET`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe selected.run(start, count)
    return 0
}

private let selected = FuzzTarget.selected(of: FuzzTarget.core)
