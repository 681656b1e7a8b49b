package tebra

import "strings"

// isHTML reports whether a page begins with an element of this name, as it is written. Pages may
// leave out tags, html among them, and have attributes that XML does not allow, so that the name of
// the first tag has to suffice.
func isHTML(name string) bool {
	name = strings.ToLower(name)
	if _, local, found := strings.Cut(name, ":"); found {
		return local == "html"
	}
	return htmlElements[name]
}

// htmlElements are the elements of HTML.
var htmlElements = setOf("a abbr address article aside b base basefont big blockquote body br button canvas center code dd details dialog " +
	"div dl dt em fieldset figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input label li " +
	"link main menu meta nav noframes noscript object ol p pre script section small span strong style svg table tbody td template textarea " +
	"th title tr tt u ul")

// setOf returns the words of a text as a set.
func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}
