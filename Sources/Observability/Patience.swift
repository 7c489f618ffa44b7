/// Ends what waits for others as soon as nobody waits for it any more.
public enum Patience {
    /// Runs some work, and cancels it when it is told to stop and has not ended by then.
    ///
    /// - Parameters:
    ///   - work: what is done; it ends soon after it was cancelled.
    ///   - stop: true when it is over.
    public static func run(
        _ work: @escaping @Sendable () async -> Void, until stop: @escaping @Sendable () -> Bool
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await work() }
            group.addTask {
                while !stop() {
                    do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
                }
                // What looks at `stop` itself gets the time to do so.
                try? await Task.sleep(for: .milliseconds(500))
            }
            await group.next()
            group.cancelAll()
        }
    }
}
