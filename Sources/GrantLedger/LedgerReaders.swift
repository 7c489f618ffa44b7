/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum LedgerReaders {
    /// The effects of a stored group; `nil` when it does not read.
    package static func effects(_ body: [UInt8]) -> [Effect]? { try? EffectCodec.decode(body) }

    /// Effects as they are stored.
    package static func body(_ effects: [Effect]) -> [UInt8] { EffectCodec.encode(effects) }
}
