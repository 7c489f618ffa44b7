import Testing

/// The sizing page and the figures that it was made of.
struct ScaleTests {
    @Test func theTablesAreThoseOfTheModel() async throws {
        let ran = try await Ran.python("Benchmarks/Model/model.py", ["--check"])
        #expect(ran.code == 0, "\(ran.all)")
    }

    @Test func figuresOfOtherMeasurementsGiveAnotherPage() async throws {
        let ran = try await Ran.python("Benchmarks/Model/model.py", ["--figures", "/dev/null", "--check"])
        #expect(ran.code != 0)
    }
}
