// Package e2e tests the whole system from outside: the real binaries, real Redis and real nginx. Package stack starts a
// system for each test. Most tests with many clients at a time run services with the race detector. An instance with
// the race detector needs two to three times the processor time, so most other tests run services without it.
//
// After a test, package check compares Redis with the responses that clients received. Tests inject faults with signals
// to processes, and with fault proxies that hold, drop or delay commands between a service and its Redis. Package shop
// simulates clients.
//
// The predecessor of this system had 16 bugs. A test covers each bug:
//
//	killed between two steps               TestCoordinatorDiesBetweenSteps, TestOrderIsKilledUnderLoad
//	order Redis fails at the commit        TestOrderRedisDiesAtCommit
//	stock dies between two items           TestStockDiesBetweenTwoItems
//	a compensation is never retried        TestLostCompensationsAreRetried
//	a restarted Redis has no scripts       TestFlushedScriptsAreReloaded
//	an aborted order counts as released    TestAbortingOrderHasNoOutcomeBeforeRelease
//	a late charge takes effect             TestTombstoneRejectsLateReserve
//	a client library resends a write       TestLostReplyIsNotResent
//	a duplicated message waits for itself  TestDuplicateStepsAreHarmless
//	two instances have one MACHINE_ID      TestInstancesWithEqualMachineIDs
//	carts change during a checkout         TestCartIsFrozenDuringAndAfterCheckout
//	wrong statuses                         TestMissingIDsAndBadNumbersGetExactStatuses
//	connections and keys leak              TestNoLeakedFilesOrKeys
//	administrative routes                  TestNoAdministrativeRoutes, TestGatewayNeverReachesInternalPort
//	negative amounts, unpaid refunds       TestNegativeAmountsAndUnpaidCancelsCreateNothing
//	a full Redis refuses to compensate     TestFullRedisStillCompensates
package e2e
