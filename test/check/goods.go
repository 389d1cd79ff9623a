package check

// Goods is what was put into the system by hand: credit by user, stock by item. What is not named started with nothing.
type Goods struct {
	Credit, Stock map[string]int64

	// What may have been put in, or taken out, besides: nobody was told whether it was.
	MaybeCredit, MaybeStock map[string][]int64
}

// NewGoods returns no goods.
func NewGoods() Goods {
	return Goods{Credit: map[string]int64{}, Stock: map[string]int64{}, MaybeCredit: map[string][]int64{}, MaybeStock: map[string][]int64{}}
}

// explains tells whether some of what may have happened, each once, adds up to a difference.
func (Goods) explains(maybe []int64, difference int64) bool {
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

// Settle takes what a quiet system, in which nothing is wrong, holds for what was put in: what had not been known is known now.
func (g Goods) Settle(sn *Snapshot) {
	spent, gone := sn.sold()
	for user := range g.MaybeCredit {
		g.Credit[user] = sn.Credit[user] + spent[user] + sn.Direct[user]
	}
	for item := range g.MaybeStock {
		g.Stock[item] = sn.Stock[item] + gone[item]
	}
	clear(g.MaybeCredit)
	clear(g.MaybeStock)
}
