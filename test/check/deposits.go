package check

// Deposits is what clients put into the system: credit by user, stock by item. Users and items without an entry started
// with nothing.
type Deposits struct {
	Credit, Stock map[string]int64

	// Amounts that may have been added or subtracted too: the outcome of these requests is unknown.
	UncertainCredit, UncertainStock map[string][]int64

	Partial bool // the system also holds users and items that others made; they are not checked
}

// NewDeposits returns empty deposits.
func NewDeposits() Deposits {
	return Deposits{Credit: map[string]int64{}, Stock: map[string]int64{}, UncertainCredit: map[string][]int64{},
		UncertainStock: map[string][]int64{}}
}

// explains reports whether some of the uncertain amounts, each used at most once, add up to the difference.
func (Deposits) explains(maybe []int64, difference int64) bool {
	sums := map[int64]bool{0: true}
	for _, amount := range maybe {
		next := make(map[int64]bool, 2*len(sums))
		for sum := range sums {
			next[sum], next[sum+amount] = true, true
		}
		sums = next
	}
	return sums[difference]
}

// Resolve replaces the uncertain amounts by what the snapshot of a correct system contains.
func (g Deposits) Resolve(sn *Snapshot) {
	spent, gone := sn.paidTotals()
	for user := range g.UncertainCredit {
		g.Credit[user] = sn.Credit[user] + spent[user] + sn.DirectPayments[user]
	}
	for item := range g.UncertainStock {
		g.Stock[item] = sn.Stock[item] + gone[item]
	}
	clear(g.UncertainCredit)
	clear(g.UncertainStock)
}
