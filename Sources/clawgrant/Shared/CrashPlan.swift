#if DEBUG
    import ArgumentParser
    import CrashPoints
    import Glibc

    /// Where a test wants this process to kill itself.
    enum CrashPlan {
        /// Arms the plan of the environment, see ``CrashPoint/arm(killingAt:)``.
        ///
        /// - Throws: when it does not read.
        static func arm() throws {
            guard let plan = unsafe getenv("CLAWGRANT_CRASH_AT") else { return }
            do {
                try unsafe CrashPoint.arm(killingAt: String(cString: plan))
            } catch {
                throw ValidationError("CLAWGRANT_CRASH_AT: \(error)")
            }
        }
    }
#endif
