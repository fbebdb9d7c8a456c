package version

// Comparer gives the answers of Compare and Guess and remembers what it has read, for callers that meet the same versions
// again and again. It is for one goroutine; the zero value is ready.
type Comparer struct {
	readings map[string]map[string]reading // scheme → version as given
	marks    map[string]uint32             // version as given → forms
}

// Compare is the function Compare.
func (c *Comparer) Compare(name, a, b string) (Order, Precision) {
	s := lookup(name)
	if c.readings == nil {
		c.readings = map[string]map[string]reading{}
	}
	known := c.readings[s.name]
	if known == nil {
		known = map[string]reading{}
		c.readings[s.name] = known
	}
	x, y := remember(known, s, a), remember(known, s, b)
	switch {
	case x.text == "" || y.text == "":
		return Incomparable, Exact
	case x.text == y.text:
		return Equal, Exact
	}
	return s.compare(x, y)
}

func remember(known map[string]reading, s scheme, v string) reading {
	r, ok := known[v]
	if !ok {
		text := s.clean(v)
		if text != "" {
			r = s.read(text)
		}
		r.text = text
		known[v] = r
	}
	return r
}

// Guess is the function Guess.
func (c *Comparer) Guess(a, b string) string {
	if c.marks == nil {
		c.marks = map[string]uint32{}
	}
	return guess(c.form(a) & c.form(b))
}

func (c *Comparer) form(v string) uint32 {
	m, ok := c.marks[v]
	if !ok {
		m = forms(clean(v))
		c.marks[v] = m
	}
	return m
}
