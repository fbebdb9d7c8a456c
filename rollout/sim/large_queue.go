package sim

// happening is one thing that happens at a time, in 24 bytes: a large fleet waits for hundreds of thousands of answers at once.
type happening struct {
	at     int64 // nanoseconds since 1970
	order  uint32
	device int32
	seq    uint16 // of the command that ends
	kind   happens
	verb   uint8
}

// happens is what happens.
type happens uint8

const (
	turns  happens = iota // the rollout is looked at
	ticks                 // a target asked to be told the time
	ends                  // a command has been carried out
	lights                // a device is back in sight
	sweeps                // firmward looks who fell
)

// agenda is a heap of happenings: what comes first, and was put in first, is on top.
type agenda []happening

func (a agenda) less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].order < a[j].order
}

func (a *agenda) push(h happening) {
	*a = append(*a, h)
	q := *a
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 4
		if !q.less(i, up) {
			return
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (a *agenda) pop() happening {
	q := *a
	top, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	*a = q
	for i := 0; ; {
		least := i
		for k := 4*i + 1; k <= 4*i+4 && k < last; k++ {
			if q.less(k, least) {
				least = k
			}
		}
		if least == i {
			return top
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}

// line is who waits for their turn, by their place in the plan.
type line struct {
	who    []int32 // place → device
	places places  // of those who stand in line
}

// places is a heap of numbers, the smallest on top. It is written out beside agenda: one generic heap for both made a million devices a quarter slower.
type places []int32

func (p *places) push(n int32) {
	*p = append(*p, n)
	q := *p
	for i := len(q) - 1; i > 0; {
		up := (i - 1) / 4
		if q[up] <= q[i] {
			return
		}
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (p *places) pop() int32 {
	q := *p
	top, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	*p = q
	for i := 0; ; {
		least := i
		for k := 4*i + 1; k <= 4*i+4 && k < last; k++ {
			if q[k] < q[least] {
				least = k
			}
		}
		if least == i {
			return top
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}
