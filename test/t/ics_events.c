/*
 * ics_events: what libical reads in a calendar that comes on stdin.
 *
 * A line for the calendar (method, version, name), then one for each event:
 * uid, start, end, status, transparency, sequence, categories, last
 * modification; summary and description in hex.  Exit 1 where the text is no
 * calendar, or libical or RFC 5545's table of what stands where complains.
 */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
or_none(const char *s)
{
	return s != NULL ? s : "-";
}

static void
print_hex(const char *s)
{
	if (s == NULL)
		printf("\t-");
	else
	{
		printf("\t");
		for (; *s; s++)
			printf("%02x", (unsigned char) *s);
	}
}

static const char *
of_kind(icalcomponent *event, icalproperty_kind kind)
{
	icalproperty *p = icalcomponent_get_first_property(event, kind);

	return p != NULL ? or_none(icalproperty_get_value_as_string(p)) : "-";
}

/* What the parser could not read, and what RFC 5545 does not allow here. */
static int
complaints(icalcomponent *c)
{
	int			n = 0;

	for (icalproperty *p = icalcomponent_get_first_property(c, ICAL_XLICERROR_PROPERTY);
		 p != NULL; p = icalcomponent_get_next_property(c, ICAL_XLICERROR_PROPERTY))
	{
		fprintf(stderr, "%s\n", icalproperty_get_xlicerror(p));
		n++;
	}
	for (icalcomponent *inner = icalcomponent_get_first_component(c, ICAL_ANY_COMPONENT);
		 inner != NULL; inner = icalcomponent_get_next_component(c, ICAL_ANY_COMPONENT))
		n += complaints(inner);
	return n;
}

int
main(void)
{
	size_t		size = 0;
	size_t		used = 0;
	char	   *text = NULL;
	icalcomponent *calendar;
	icalproperty *name;

	do
	{
		size = size == 0 ? 1 << 16 : 2 * size;
		text = realloc(text, size + 1);
		if (text == NULL)
			return 2;
		used += fread(text + used, 1, size - used, stdin);
	} while (used == size);
	text[used] = '\0';

	calendar = icalparser_parse_string(text);
	if (calendar == NULL || icalcomponent_isa(calendar) != ICAL_VCALENDAR_COMPONENT)
	{
		fprintf(stderr, "no calendar\n");
		return 1;
	}
	icalrestriction_check(calendar);
	if (complaints(calendar) > 0)
		return 1;

	name = icalcomponent_get_first_property(calendar, ICAL_X_PROPERTY);
	printf("%s\t%s", of_kind(calendar, ICAL_METHOD_PROPERTY),
		   of_kind(calendar, ICAL_VERSION_PROPERTY));
	printf("\t%s=%s\n", name ? icalproperty_get_x_name(name) : "-",
		   name ? icalproperty_get_value_as_string(name) : "-");

	for (icalcomponent *event = icalcomponent_get_first_component(calendar, ICAL_ANY_COMPONENT);
		 event != NULL; event = icalcomponent_get_next_component(calendar, ICAL_ANY_COMPONENT))
	{
		if (icalcomponent_isa(event) != ICAL_VEVENT_COMPONENT)
		{
			fprintf(stderr, "no event\n");
			return 1;
		}
		printf("%s", or_none(icalcomponent_get_uid(event)));
		printf("\t%s", of_kind(event, ICAL_DTSTART_PROPERTY));
		printf("\t%s", of_kind(event, ICAL_DTEND_PROPERTY));
		printf("\t%s", of_kind(event, ICAL_STATUS_PROPERTY));
		printf("\t%s", of_kind(event, ICAL_TRANSP_PROPERTY));
		printf("\t%s", of_kind(event, ICAL_SEQUENCE_PROPERTY));
		printf("\t%s", of_kind(event, ICAL_CATEGORIES_PROPERTY));
		printf("\t%s", of_kind(event, ICAL_LASTMODIFIED_PROPERTY));
		print_hex(icalcomponent_get_summary(event));
		print_hex(icalcomponent_get_description(event));
		printf("\n");
	}
	icalcomponent_free(calendar);
	free(text);
	return 0;
}
