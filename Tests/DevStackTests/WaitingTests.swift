import DevStack
import Foundation
import Testing

@testable import struct DevStack.DevStackError
@testable import class DevStack.OneShot

@Suite struct WaitingTests {
    @Test func conditionIsAskedUntilItHolds() async throws {
        var asked = 0
        try await waitUntil(deadline: .seconds(30), description: "three questions", interval: .milliseconds(1)) {
            asked += 1
            return asked == 3
        }
        #expect(asked == 3)
    }

    @Test func deadlineNamesWhatWasWaitedFor() async {
        await #expect {
            try await waitUntil(deadline: .zero, description: "the impossible") { false }
        } throws: { error in
            let error = error as? DevStackError
            return error?.code == .deadlineExceeded && error?.message.contains("the impossible") == true
                && error?.isRetriable == true
        }
    }

    @Test func errorOfTheConditionEndsTheWait() async {
        await #expect(throws: CancellationError.self) {
            try await waitUntil(deadline: .seconds(30), description: "nothing") { throw CancellationError() }
        }
    }

    @Test func oneShotWakesEveryWaiterOnce() async {
        let event = OneShot<Int>()
        await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<20 { group.addTask { await event.value(within: .seconds(30)) } }
            event.fulfil(1)
            event.fulfil(2)
            for await value in group { #expect(value == 1) }
        }
        #expect(event.current == 1)
    }

    @Test func oneShotGivesUpAtItsLimitAndWhenCancelled() async {
        let event = OneShot<Int>()
        #expect(await event.value(within: .milliseconds(1)) == nil)
        let waiter = Task { await event.value(within: .seconds(3_600)) }
        waiter.cancel()
        #expect(await waiter.value == nil)
    }
}

@Suite struct TemporaryDirectoryTests {
    @Test func directoryGoesWithItsOwnerAndItsContents() throws {
        var directory: TemporaryDirectory? = try TemporaryDirectory(prefix: "claw-tmp")
        let path = try #require(directory?.path)
        try Data("x".utf8).write(to: URL(fileURLWithPath: "\(path)/file"))
        #expect(FileManager.default.fileExists(atPath: "\(path)/file"))
        directory = nil
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func keptDirectoryStays() throws {
        let directory = try TemporaryDirectory(prefix: "claw-tmp", keep: true)
        directory.close()
        #expect(FileManager.default.fileExists(atPath: directory.path))
        try FileManager.default.removeItem(atPath: directory.path)
    }
}
