import FuzzTargets
import SurfaceTargets

/// The entry that libFuzzer calls with each input. The target is named by `CLAWGRANT_FUZZ_TARGET`.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe selected.run(start, count)
    return 0
}

private let selected = FuzzTarget.selected(of: FuzzTarget.surface)
