package version

// Comparer gives the answers of Compare and Guess and remembers what it has read, for callers that meet the same versions
// again and again. It is for one goroutine; the zero value is ready.
type Comparer struct {
	known map[string]*Version
}

// Version is a text that a Comparer has read, or will read when it is first compared.
type Version struct {
	raw      string
	empty    bool
	marks    uint32 // forms
	readings []schemeReading
}

type schemeReading struct {
	name string
	reading
}

// Version gives the version of a text, the same one for the same text.
func (c *Comparer) Version(text string) *Version {
	if v, ok := c.known[text]; ok {
		return v
	}
	if c.known == nil {
		c.known = map[string]*Version{}
	}
	v := &Version{raw: text, marks: forms(clean(text)), empty: clean(text) == ""}
	c.known[text] = v
	return v
}

// Compare is the function Compare.
func (c *Comparer) Compare(name, a, b string) (Order, Precision) {
	return c.Version(a).Compare(name, c.Version(b))
}

// Guess is the function Guess.
func (c *Comparer) Guess(a, b string) string { return c.Version(a).Guess(c.Version(b)) }

// Track is the function Track.
func (c *Comparer) Track(name, v string) string {
	s := lookup(name)
	if s.track == nil {
		return ""
	}
	if r := c.Version(v).read(s); r.ok {
		return s.track(r.key)
	}
	return ""
}

// SameTrack is the function SameTrack.
func (c *Comparer) SameTrack(name, a, b string) bool {
	s := lookup(name)
	x, y := c.Version(a).read(s), c.Version(b).read(s)
	return x.ok && y.ok && (s.track == nil || s.track(x.key) == s.track(y.key))
}

// Compare orders v and o by the named scheme, as the function Compare does.
func (v *Version) Compare(name string, o *Version) (Order, Precision) {
	switch {
	case v.empty || o.empty:
		return Incomparable, Exact
	case v == o:
		return Equal, Exact
	}
	s := lookup(name)
	x, y := v.read(s), o.read(s)
	if x.text == y.text {
		return Equal, Exact
	}
	return s.compare(x, y)
}

// Differs reports whether v and o are certainly two versions although the scheme gives them no order: both can be read, and they
// belong to what the vendor keeps apart, such as another release train or another model's code.
func (v *Version) Differs(name string, o *Version) bool {
	s := lookup(name)
	x, y := v.read(s), o.read(s)
	return x.ok && y.ok && x.group != "" && y.group != "" && x.group != y.group
}

// Guess names the scheme that the shapes of v and o suggest, as the function Guess does.
func (v *Version) Guess(o *Version) string { return guess(v.marks & o.marks) }

// Unknown reports whether there is no text.
func (v *Version) Unknown() bool { return v.empty }

func (v *Version) read(s *scheme) *reading {
	for i := range v.readings {
		if v.readings[i].name == s.name {
			return &v.readings[i].reading
		}
	}
	r := reading{}
	if !v.empty {
		text := s.clean(v.raw)
		r = s.read(text)
		r.text = text
	}
	v.readings = append(v.readings, schemeReading{s.name, r})
	return &v.readings[len(v.readings)-1].reading
}
