/*-------------------------------------------------------------------------
 *
 * risk.h
 *	  The risk of a change: factors, matrices, rules, and what they come to.
 *
 * risk_factor.c looks at the record, risk_factor_history.c at what happened
 * before and what else goes on; risk_matrix.c reads the register;
 * risk_site.c has what a site sets; risk.c puts it together and explains it;
 * risk_learned.c asks the model that learned; risk_assessment.c stores it,
 * risk_backtest.c asks the past.
 *
 * Numbers are integers, so that contributions add up: values in hundredths of
 * 1, points and the score in hundredths of a point, weights in thousandths.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_RISK_H
#define CHANGEMGMT_RISK_H

#include "utils/jsonb.h"

#include "change.h"
#include "model.h"
#include "spi.h"

#define RISK_VALUE_MAX	100
#define RISK_WEIGHT_UNIT 1000
#define RISK_WEIGHT_MAX (INT64CONST(1000000) * RISK_WEIGHT_UNIT)
#define RISK_SCORE_MAX	10000

typedef enum RiskLevel
{
	RISK_LOW,
	RISK_MEDIUM,
	RISK_HIGH,
	RISK_CRITICAL
} RiskLevel;

#define RISK_LEVEL_COUNT (RISK_CRITICAL + 1)

extern const char *risk_level_code(RiskLevel level);
extern bool risk_level_parse(const char *code, RiskLevel *level);

/* ----------
 * The register and the matrix
 * ----------
 */

#define RISK_AXIS 5
/* An axis of which nobody knows: counts as the highest there is. */
#define RISK_AXIS_UNKNOWN RISK_AXIS

typedef struct RiskMatrix
{
	const char *key;
	int			version;		/* 0: shipped */
	uint8		cell[RISK_AXIS][RISK_AXIS]; /* [likelihood][impact] */
} RiskMatrix;

/* The rows of the register that are alike. */
typedef struct RiskRows
{
	int			likelihood;		/* 0 to 4, or RISK_AXIS_UNKNOWN */
	int			impact;
	int			left_likelihood;	/* after mitigation, else the same */
	int			left_impact;
	int64		count;
	char	   *worst;			/* description of the first of them */
} RiskRows;

typedef struct RiskRegister
{
	int64		count;
	int			n;
	RiskRows   *rows;
} RiskRegister;

/* very_low is 0; false for what is no such word. */
extern bool risk_axis_parse(const char *word, int *axis);
extern const char *risk_axis_word(int axis);
/* The level of a cell; of an unknown axis the highest that there is for it. */
extern RiskLevel risk_matrix_level(const RiskMatrix *matrix, int likelihood,
								   int impact);
/* The shipped matrix or the site's latest with this key; NULL: there is none. */
extern const RiskMatrix *risk_matrix_find(const char *key);

/* ----------
 * What is looked at
 * ----------
 */

typedef struct RiskItem
{
	int64		ci_id;
	char	   *name;
	int			tier;			/* 0: nobody knows */
	bool		production;
	bool		is_changed;
	bool		is_exclusive;
} RiskItem;

/* Executed changes, and how many of them failed. */
typedef struct RiskRecord
{
	int64		executed;
	int64		failed;
} RiskRecord;

/* A change that is being looked at; the rest is read when first asked for. */
typedef struct RiskInput
{
	const ChangeRow *row;
	const ChangeModel *model;
	bool		as_query;		/* see what the calling query sees */
	TimestampTz at;				/* what was known then: its start, else now */
	bool		begun;

	bool		has_items;
	RiskItem   *items;
	int			n_items;

	RiskRegister *reg;

	bool		has_parts;
	int64		tasks;
	int64		objects;
	int64		checks;
	bool		rollback_tested;

	bool		has_records;
	RiskRecord	of_model;
	RiskRecord	of_owner;
	RiskRecord	of_team;
	RiskRecord	of_item;		/* of the worst one */
	char	   *worst_item;
	char	   *new_item;		/* one that no change was made to yet */
} RiskInput;

extern int	risk_read(const RiskInput *input, KeptPlan *plan, Datum *values,
					  const char *nulls, long limit);
extern void risk_items(RiskInput *input);
extern const RiskRegister *risk_register(RiskInput *input);
extern void risk_parts(RiskInput *input);

/* How a change comes back, from worst to best. */
typedef enum WayBack
{
	WAY_BACK_NONE,
	WAY_BACK_UNCLEAR,
	WAY_BACK_UNTESTED,
	WAY_BACK_TESTED,
	WAY_BACK_SWITCH				/* blue/green or a flag */
} WayBack;

extern WayBack risk_way_back(RiskInput *input, char **why);

/* ----------
 * Factors
 * ----------
 */

typedef struct RiskFinding
{
	int			value;			/* 0 to RISK_VALUE_MAX */
	bool		is_known;
	char	   *sentence;
} RiskFinding;

typedef struct RiskFactor
{
	const char *name;
	int			weight;			/* in whole units; all of them sum to 100 */
	const char *description;
	void		(*assess) (RiskInput *input, RiskFinding *finding);
} RiskFactor;

extern const RiskFactor risk_factors[];
extern const int risk_factor_count;

/* risk_factor_history.c */
extern void risk_blast_radius(RiskInput *input, RiskFinding *finding);
extern void risk_novelty(RiskInput *input, RiskFinding *finding);
extern void risk_record_of_model(RiskInput *input, RiskFinding *finding);
extern void risk_record_of_item(RiskInput *input, RiskFinding *finding);
extern void risk_record_of_owner(RiskInput *input, RiskFinding *finding);
extern void risk_record_of_team(RiskInput *input, RiskFinding *finding);
extern void risk_timing(RiskInput *input, RiskFinding *finding);
extern void risk_overlap(RiskInput *input, RiskFinding *finding);
extern void risk_incidents(RiskInput *input, RiskFinding *finding);

/* What a site sets of a factor, or a factor of its own. */
typedef struct SiteFactor
{
	char	   *name;
	int64		weight;			/* -1: as shipped */
	bool		is_on;
	char	   *function;		/* NULL: a shipped one */
	char	   *registered_by;
} SiteFactor;

/* A copy of them in the current memory context, by name. */
extern List *site_factors(void);
/* Ask one; false where it can't answer, and finding says why. */
extern bool site_factor_assess(const SiteFactor *factor, RiskInput *input,
							   RiskFinding *finding);

/* ----------
 * What it comes to
 * ----------
 */

typedef struct RiskLine
{
	const char *name;
	int64		weight;			/* RISK_WEIGHT_UNIT to the unit */
	bool		left_out;		/* it could not be asked */
	int			points;			/* in hundredths */
	RiskFinding finding;
} RiskLine;

typedef enum RiskOpinion
{
	OPINION_MATRIX,
	OPINION_RULES,
	OPINION_SCORE,
	OPINION_LEARNED				/* where the site asks a model */
} RiskOpinion;

#define OPINION_COUNT (OPINION_LEARNED + 1)

typedef struct Risk
{
	int			n_lines;
	RiskLine   *lines;
	int			score;			/* in hundredths: the sum of the points */
	bool		asked[OPINION_COUNT];
	bool		silent[OPINION_COUNT];	/* asked, but it could not answer */
	RiskLevel	opinion[OPINION_COUNT];
	char	   *why[OPINION_COUNT];
	bool		known[OPINION_COUNT];
	RiskLevel	level;
	bool		won[OPINION_COUNT];
} Risk;

/* Needs an SPI connection; what it makes is in the current memory context. */
extern Risk *risk_assess_change(const ChangeRow *row, bool as_query);
/* The factors alone. */
extern void risk_lines_assess(Risk *risk, RiskInput *input);
/* risk_learned.c; after the opinion of the score. */
extern void risk_learned_opinion(Risk *risk, const RiskInput *input);
extern Jsonb *risk_explanation(const Risk *risk);
/* Keep what is to be seen of a change with this step. */
extern void risk_assessment_store(const ChangeRow *row, Verb verb);
/* The opinions that have the level, "matrix, score". */
extern char *risk_won_by(const Risk *risk);
extern char *risk_reasons(const Risk *risk, int most);
/* The level of a score. */
extern RiskLevel risk_score_level(int score);
extern RiskLevel risk_matrix_opinion(RiskInput *input,
									 const RiskMatrix *matrix, char **why,
									 bool *known);
extern void risk_input_begin(RiskInput *input, const ChangeRow *row,
							 bool as_query);
/* A change that who is acting may see, as the query sees it; else MC008. */
extern void risk_change(ChangeRow *row, int64 change_id);
/* A number of hundredths as numeric. */
extern Datum risk_numeric(int64 hundredths);

#endif							/* CHANGEMGMT_RISK_H */
