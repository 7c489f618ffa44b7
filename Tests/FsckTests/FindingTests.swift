import Testing

@testable import Fsck

struct FindingTests {
    @Test func saysPropertyCodeAndPlace() {
        let finding = Finding(.receipts, "batch.root_mismatch", at: "batches/0@17", "the root is another")
        #expect(finding.description == "P4 batch.root_mismatch at batches/0@17: the root is another")
    }
}
