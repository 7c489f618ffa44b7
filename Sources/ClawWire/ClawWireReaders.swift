/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum ClawWireReaders {
    /// Whether a glob of a statement policy matches a value.
    package static func matches(glob pattern: String, _ value: String) -> Bool { Glob.matches(pattern, value) }
}
