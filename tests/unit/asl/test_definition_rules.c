/* One case a rule: what CreateStateMachine refuses, in its words, and what stands beside it and is accepted. */
#include "asl/definition_kit.h"

#define SCHEMA "SCHEMA_VALIDATION_FAILED"
#define TARGET "MISSING_TRANSITION_TARGET"

TEST(the_machine_itself)
{
    static const struct rule rules[] = {
        {"nothing", "  ", 0, "MISSING_DESCRIPTION", "/", ""},
        {"no JSON", "not a definition", 0, "INVALID_JSON_DESCRIPTION", "/", "JSON: "},
        {"a list", "[]", 0, SCHEMA, "/", "Expected value of type [OBJECT]"},
        {"an empty object", "{}", 0, SCHEMA, "/", "These fields are required: [States, StartAt]"},
        {"no StartAt", "{'States':{'A':{'Type':'Succeed'}}}", 0, SCHEMA, "/",
         "These fields are required: [StartAt]"},
        {"StartAt of nothing", "{'StartAt':'B','States':{'A':{'Type':'Succeed'}}}", 0, TARGET,
         "/StartAt", "Missing 'Next' target: B"},
        {"no states", "{'StartAt':'A','States':{}}", 0, SCHEMA, "/States", "Value cannot be empty"},
        {"an unknown member", "{'StartAt':'A','Foo':1,'States':{'A':{'Type':'Succeed'}}}", 0,
         SCHEMA, "/", "Field 'Foo' is not supported"},
        {"a member twice", "{'StartAt':'A','StartAt':'A','States':{'A':{'Type':'Succeed'}}}", 0,
         "INVALID_JSON_DESCRIPTION", "/StartAt", "Duplicate field 'StartAt'"},
        {"another version", "{'Version':'2','StartAt':'A','States':{'A':{'Type':'Succeed'}}}", 0,
         SCHEMA, "/Version", "Value should be one of the following: [1.0]"},
        {"a long timeout",
         "{'TimeoutSeconds':100000000,'StartAt':'A','States':{'A':{'Type':'Succeed'}}}", 0, SCHEMA,
         "/TimeoutSeconds", "Maximum value is 99999999"},
        {"all of it",
         "{'Comment':'c','Version':'1.0','QueryLanguage':'JSONPath','TimeoutSeconds':0,"
         "'StartAt':'A','States':{'A':{'Type':'Succeed','Comment':'d'}}}",
         0, NULL, NULL, NULL},
    };
    CHECK_RULES(rules);
}

TEST(states_have_a_type_and_a_name)
{
    static const struct rule rules[] = {
        {"no type", ONE("{'End':true}"), 0, SCHEMA, "/States/A",
         "These fields are required: [Type]"},
        {"an unknown type", ONE("{'Type':'Task2','End':true}"), 0, SCHEMA, "/States/A/Type",
         "Value should be one of the following: [Task, "},
        {"no object", ONE("[]"), 0, SCHEMA, "/States/A", "Expected value of type [OBJECT]"},
        {"a long name",
         "{'StartAt':'A2345678901234567890123456789012345678901234567890123456789012345678901234567890"
         "x','States':{"
         "'A2345678901234567890123456789012345678901234567890123456789012345678901234567890x':"
         "{'Type':'Succeed'}}}",
         0, "INVALID_STATE_NAME",
         "/States/"
         "A2345678901234567890123456789012345678901234567890123456789012345678901234567890x",
         "The state name 'A23"},
        {"80 characters of two bytes",
         "{'StartAt':"
         "'ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää',"
         "'States':{"
         "'ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää':"
         "{'Type':'Succeed'}}}",
         0, NULL, NULL, NULL},
        {"no name", "{'StartAt':'','States':{'':{'Type':'Succeed'}}}", 0, "INVALID_STATE_NAME",
         "/States/", "A state needs a name"},
        {"a name in two flows",
         ONE("{'Type':'Parallel','End':true,'Branches':[{'StartAt':'A','States':{'A':"
             "{'Type':'Pass','End':true}}}]}"),
         0, "DUPLICATE_STATE_NAME", "/States/A/Branches[0]/States/A", "Duplicate State name: A"},
    };
    CHECK_RULES(rules);
}

TEST(states_lead_to_states_of_their_flow)
{
    static const struct rule rules[] = {
        {"Next of nothing", ONE("{'Type':'Pass','Next':'B'}"), 0, TARGET, "/States/A/Next",
         "Missing 'Next' target: B"},
        {"neither Next nor End", ONE("{'Type':'Pass'}"), 0, SCHEMA, "/States/A",
         "This object should have only one of the following fields: [Next, End]"},
        {"End false", ONE("{'Type':'Pass','End':false}"), 0, SCHEMA, "/States/A",
         "This object should have only one of the following fields: [Next, End]"},
        {"both", ONE("{'Type':'Pass','Next':'A','End':true}"), 0, SCHEMA, "/States/A",
         "There should only be one of the following fields: [Next, End]"},
        {"out of reach", "{'StartAt':'A','States':{'A':{'Type':'Succeed'},'B':{'Type':'Succeed'}}}",
         0, TARGET, "/States/B", "State \"B\" is not reachable."},
        {"a circle out of reach",
         "{'StartAt':'A','States':{'A':{'Type':'Succeed'},'B':{'Type':'Pass','Next':'C'},"
         "'C':{'Type':'Pass','Next':'B'}}}",
         0, TARGET, "/States/C", "State \"C\" is not reachable."},
        {"no end",
         "{'StartAt':'A','States':{'A':{'Type':'Pass','Next':'B'},'B':{'Type':'Pass','Next':'A'}}}",
         0, "MISSING_END_STATE", "/", "Workflow has no terminal state"},
        {"a branch without an end",
         ONE("{'Type':'Parallel','End':true,'Branches':[" FLOW("{'Type':'Pass','Next':'B'}") "]}"),
         0, NULL, NULL, NULL},
        {"from a branch to the outside",
         ONE("{'Type':'Parallel','End':true,'Branches':[" FLOW("{'Type':'Pass','Next':'A'}") "]}"),
         0, TARGET, "/States/A/Branches[0]/States/B/Next", "Missing 'Next' target: A"},
        {"End of a Choice",
         ONE("{'Type':'Choice','End':true,'Choices':[{'Variable':'$.a','IsNull':true,'Next':'A'}]}"),
         0, SCHEMA, "/States/A", "Field 'End' is not supported"},
    };
    CHECK_RULES(rules);
}

TEST(query_languages)
{
    static const struct rule rules[] = {
        {"an unknown one",
         "{'QueryLanguage':'JSONPAth','StartAt':'A','States':{'A':"
         "{'Type':'Succeed'}}}",
         0, SCHEMA, "/QueryLanguage", "Value should be one of the following: [JSONPath, JSONata]"},
        {"back to JSONPath", ONE_JSONATA("{'Type':'Pass','End':true,'QueryLanguage':'JSONPath'}"),
         0, SCHEMA, "/States/A",
         "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"},
        {"a path in JSONata", ONE_JSONATA("{'Type':'Pass','End':true,'InputPath':'$.a'}"), 0,
         SCHEMA, "/States/A",
         "The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the "
         "'JSONPath' QueryLanguage"},
        {"an output in JSONPath", ONE("{'Type':'Pass','End':true,'Output':1}"), 0, SCHEMA,
         "/States/A",
         "The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the "
         "'JSONata' QueryLanguage"},
        {"one state of JSONata",
         ONE("{'Type':'Pass','End':true,'QueryLanguage':'JSONata',"
             "'Output':'{% 1 %}'}"),
         0, NULL, NULL, NULL},
        {"a Map's language is not that of its states",
         ONE("{'Type':'Map','QueryLanguage':'JSONata','Items':'{% [1] %}','End':true,"
             "'ItemProcessor':" FLOW("{'Type':'Pass','InputPath':'$.a','End':true}") "}"),
         0, NULL, NULL, NULL},
        {"a flow has none",
         ONE("{'Type':'Map','End':true,'ItemProcessor':{'QueryLanguage':'JSONata','StartAt':'B',"
             "'States':{'B':{'Type':'Succeed'}}}}"),
         0, SCHEMA, "/States/A/ItemProcessor", "Field 'QueryLanguage' is not supported"},
        {"an expression without an end", ONE_JSONATA("{'Type':'Fail','Error':'{% 1'}"), 0, SCHEMA,
         "/States/A/Error", "JSONata string must start with {% and end with %}"},
    };
    CHECK_RULES(rules);
}

TEST(paths_and_templates)
{
    static const struct rule rules[] = {
        {"no path", ONE("{'Type':'Pass','End':true,'InputPath':'a'}"), 0, SCHEMA,
         "/States/A/InputPath", "Value must be a valid JSONPath."},
        {"null is one", ONE("{'Type':'Pass','End':true,'InputPath':null,'ResultPath':null}"), 0,
         NULL, NULL, NULL},
        {"a number is none", ONE("{'Type':'Pass','End':true,'InputPath':1}"), 0, SCHEMA,
         "/States/A/InputPath", "Expected value of type [STRING, NULL]"},
        {"a result's place with a wildcard",
         ONE("{'Type':'Pass','End':true,'ResultPath':'$.a[*]'}"), 0, SCHEMA, "/States/A/ResultPath",
         "Value is not a Reference Path"},
        {"a template's expression",
         ONE("{'Type':'Pass','End':true,'Parameters':{'b':{'a.$':'x'}}}"), 0, SCHEMA,
         "/States/A/Parameters/b",
         "The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call"},
        {"a template that is no object",
         ONE("{'Type':'Pass','End':true,'Parameters':[{'a.$':'$.b'}]}"), 0, NULL, NULL, NULL},
        {"an expression in it", ONE("{'Type':'Pass','End':true,'Parameters':[{'a.$':'b'}]}"), 0,
         SCHEMA, "/States/A/Parameters[0]", "The value for the field 'a.$'"},
        {"a selector of a Pass", ONE("{'Type':'Pass','End':true,'ResultSelector':{}}"), 0, SCHEMA,
         "/States/A", "Field 'ResultSelector' is not supported"},
        {"paths of a Fail", ONE("{'Type':'Fail','InputPath':'$'}"), 0, SCHEMA, "/States/A",
         "Field 'InputPath' is not supported"},
    };
    CHECK_RULES(rules);
}

TEST(variables)
{
    static const struct rule rules[] = {
        {"the reserved one", ONE("{'Type':'Pass','End':true,'Assign':{'states':1}}"), 0,
         "RESERVED_VARIABLE_NAME", "/States/A/Assign/states",
         "Cannot assign to reserved variable '$states'."},
        {"a wrong name", ONE("{'Type':'Pass','End':true,'Assign':{'a-b':1}}"), 0,
         "INVALID_VARIABLE_NAME", "/States/A/Assign/a-b", "Invalid variable name 'a-b'"},
        {"a digit first", ONE("{'Type':'Pass','End':true,'Assign':{'1a':1}}"), 0,
         "INVALID_VARIABLE_NAME", "/States/A/Assign/1a", "Invalid variable name '1a'"},
        {"computed", ONE("{'Type':'Pass','End':true,'Assign':{'a_1.$':'$.b','äb':2}}"), 0, NULL,
         NULL, NULL},
        {"of a Fail", ONE("{'Type':'Fail','Assign':{'a':1}}"), 0, SCHEMA, "/States/A",
         "Field 'Assign' is not supported"},
    };
    CHECK_RULES(rules);
}

TEST(references_of_jsonata)
{
#define OUTPUT(text) ONE_JSONATA("{'Type':'Pass','End':true,'Output':{'a':['{% " text " %}']}}")
#define UNSUPPORTED "UNSUPPORTED_JSONATA_EXPRESSION"
    static const struct rule rules[] = {
        {"the document around", OUTPUT("$$.a"), 0, UNSUPPORTED, "/States/A/Output/a[0]",
         "Reference to '$$' is not supported."},
        {"behind a division", OUTPUT("1 / $$.a / 2"), 0, UNSUPPORTED, "/States/A/Output/a[0]",
         "Reference to '$$' is not supported."},
        {"in a text", OUTPUT("\\'$$\\' & `$$`"), 0, NULL, NULL, NULL},
        {"in a comment", OUTPUT("1 /* $$ */"), 0, NULL, NULL, NULL},
        {"in a regular expression", OUTPUT("$match($states.input, /$$/)"), 0, NULL, NULL, NULL},
        {"an error where there is none", OUTPUT("$states.errorOutput.Error"), 0, UNSUPPORTED,
         "/States/A/Output/a[0]", "Field '$states.errorOutput' does not exist."},
        {"a field of that name", OUTPUT("$states.input.errorOutput"), 0, NULL, NULL, NULL},
        {"an error in a Catch",
         "{'QueryLanguage':'JSONata','StartAt':'A','States':{'A':{'Type':'Task','End':true,"
         "'Resource':'arn:aws:lambda:us-east-1:1:function:f','Catch':[{'ErrorEquals':['X'],'Next':"
         "'B','Output':'{% $states.errorOutput %}','Assign':{'a':'{% $states.errorOutput %}'}}]},"
         "'B':{'Type':'Succeed'}}}",
         0, NULL, NULL, NULL},
        {"a comment of the state", ONE_JSONATA("{'Type':'Succeed','Comment':'{% $$ %}'}"), 0, NULL,
         NULL, NULL},
        {"a payload's member of a field's name",
         ONE_JSONATA("{'Type':'Succeed','Output':{'Comment':'{% $$ %}'}}"), 0, UNSUPPORTED,
         "/States/A/Output/Comment", "Reference to '$$' is not supported."},
        {"JSONPath", ONE("{'Type':'Pass','End':true,'Result':'{% $$ %}'}"), 0, NULL, NULL, NULL},
    };
    CHECK_RULES(rules);
}

#define TASK(rest) "{'Type':'Task','End':true,'Resource':'arn:aws:states:::lambda:invoke'," rest "}"
#define CALL "'Parameters':{'FunctionName':'f'}"

TEST(tasks)
{
    static const struct rule rules[] = {
        {"no resource", ONE("{'Type':'Task','End':true}"), 0, SCHEMA, "/States/A",
         "These fields are required: [Resource]"},
        {"no ARN", ONE("{'Type':'Task','End':true,'Resource':'f'}"), 0, SCHEMA,
         "/States/A/Resource", "Value is not a valid resource ARN"},
        {"no parameters",
         ONE("{'Type':'Task','End':true,'Resource':'arn:aws:states:::sns:publish'}"), 0, SCHEMA,
         "/States/A",
         "Parameters field is required for resource ARN: arn:aws:states:::sns:publish"},
        {"no arguments",
         ONE_JSONATA("{'Type':'Task','End':true,'Resource':'arn:aws:states:::sns:publish'}"), 0,
         SCHEMA, "/States/A", "Arguments field is required for resource ARN"},
        {"no function's name", ONE(TASK("'Parameters':{'Payload':1}")), 0, SCHEMA,
         "/States/A/Parameters", "The field 'FunctionName' is required but was missing"},
        {"a computed one", ONE(TASK("'Parameters':{'FunctionName.$':'$.f'}")), 0, NULL, NULL, NULL},
        {"arguments computed as a whole",
         ONE_JSONATA("{'Type':'Task','End':true,'Resource':'arn:aws:states:::lambda:invoke',"
                     "'Arguments':'{% $states.input %}'}"),
         0, NULL, NULL, NULL},
        {"a timeout of 0", ONE(TASK(CALL ",'TimeoutSeconds':0")), 0, SCHEMA,
         "/States/A/TimeoutSeconds", "Minimum value is 1"},
        {"a timeout of half a second", ONE(TASK(CALL ",'TimeoutSeconds':1.5")), 0, SCHEMA,
         "/States/A/TimeoutSeconds", "Expected value of type Integer"},
        {"a timeout as text", ONE(TASK(CALL ",'TimeoutSeconds':'1'")), 0, SCHEMA,
         "/States/A/TimeoutSeconds", "Expected value of type Integer"},
        {"two timeouts", ONE(TASK(CALL ",'TimeoutSeconds':1,'TimeoutSecondsPath':'$.t'")), 0,
         SCHEMA, "/States/A",
         "There should only be one of the following fields: [TimeoutSeconds, TimeoutSecondsPath]"},
        {"a slow heart", ONE(TASK(CALL ",'TimeoutSeconds':5,'HeartbeatSeconds':5")), 0, SCHEMA,
         "/States/A/HeartbeatSeconds", "HeartbeatSeconds must be smaller than TimeoutSeconds"},
        {"a quick heart", ONE(TASK(CALL ",'TimeoutSeconds':5,'HeartbeatSeconds':4")), 0, NULL, NULL,
         NULL},
        {"credentials without a role", ONE(TASK(CALL ",'Credentials':{}")), 0, SCHEMA,
         "/States/A/Credentials", "The field 'RoleArn' is required but was missing"},
        {"a computed role", ONE(TASK(CALL ",'Credentials':{'RoleArn.$':'$.r'}")), 0, NULL, NULL,
         NULL},
        {"an activity with credentials",
         ONE("{'Type':'Task','End':true,'Resource':'arn:aws:states:us-east-1:1:activity:a',"
             "'Credentials':{'RoleArn':'r'}}"),
         0, SCHEMA, "/States/A", "The field 'Credentials' is not supported for activities"},
        {"a result of JSONPath", ONE(TASK(CALL ",'Result':1")), 0, SCHEMA, "/States/A",
         "Field 'Result' is not supported"},
    };
    CHECK_RULES(rules);
}

TEST(express_machines)
{
#define CALLS(arn)                                                                                 \
    ONE("{'Type':'Task','End':true,'Parameters':{'TopicArn':'t','Message':'m'},'Resource':'" arn   \
        "'}")
#define STARTS(arn)                                                                                \
    ONE("{'Type':'Task','End':true,'Parameters':{'StateMachineArn':'m'},'Resource':'" arn "'}")
    static const struct rule rules[] = {
        {"a token", CALLS("arn:aws:states:::sns:publish.waitForTaskToken"), ASL_EXPRESS, SCHEMA,
         "/States/A/Resource",
         "Express state machine does not support '.waitForTaskToken' service integration"},
        {"a job", STARTS("arn:aws:states:::states:startExecution.sync"), ASL_EXPRESS, SCHEMA,
         "/States/A/Resource",
         "Express state machine does not support '.sync' service integration"},
        {"an activity",
         ONE("{'Type':'Task','End':true,'Resource':'arn:aws:states:us-east-1:1:activity:a'}"),
         ASL_EXPRESS, SCHEMA, "/States/A/Resource",
         "Express state machine does not support Activity ARN"},
        {"a call", CALLS("arn:aws:states:::sns:publish"), ASL_EXPRESS, NULL, NULL, NULL},
        {"a distributed Map",
         ONE("{'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED',"
             "'ExecutionType':'EXPRESS'},'StartAt':'B','States':{'B':{'Type':'Succeed'}}}}"),
         ASL_EXPRESS, SCHEMA, "/States/A/ItemProcessor/ProcessorConfig/Mode",
         "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines"},
        {"a token in an Express child",
         ONE("{'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED',"
             "'ExecutionType':'EXPRESS'},'StartAt':'B','States':{'B':{'Type':'Task','End':true,"
             "'Parameters':{'Message':'m'},'Resource':"
             "'arn:aws:states:::sns:publish.waitForTaskToken'}}}}"),
         ASL_STANDARD, SCHEMA, "/States/A/ItemProcessor/States/B/Resource",
         "Express state machine does not support '.waitForTaskToken' service integration"},
    };
    CHECK_RULES(rules);
}

TEST(retry_and_catch)
{
#define RETRY(list) ONE(TASK(CALL ",'Retry':[" list "]"))
#define CATCH(list)                                                                                \
    "{'StartAt':'A','States':{'A':" TASK(CALL ",'Catch':[" list "]") ",'B':{'Type':'Succeed'}}}"
    static const struct rule rules[] = {
        {"no errors", RETRY("{'MaxAttempts':1}"), 0, SCHEMA, "/States/A/Retry[0]",
         "These fields are required: [ErrorEquals]"},
        {"an empty list", RETRY("{'ErrorEquals':[]}"), 0, SCHEMA, "/States/A/Retry[0]/ErrorEquals",
         "Value cannot be empty"},
        {"a number", RETRY("{'ErrorEquals':[1]}"), 0, SCHEMA, "/States/A/Retry[0]/ErrorEquals[0]",
         "Expected value of type [STRING]"},
        {"all and another", RETRY("{'ErrorEquals':['States.ALL','X']}"), 0, SCHEMA,
         "/States/A/Retry[0]/ErrorEquals", "States.ALL must appear alone and at end of list"},
        {"all not last", RETRY("{'ErrorEquals':['States.ALL']},{'ErrorEquals':['X']}"), 0, SCHEMA,
         "/States/A/Retry[0]/ErrorEquals", "States.ALL must appear alone and at end of list"},
        {"attempts below 0", RETRY("{'ErrorEquals':['X'],'MaxAttempts':-1}"), 0, SCHEMA,
         "/States/A/Retry[0]/MaxAttempts", "Minimum value is 0"},
        {"a rate below 1", RETRY("{'ErrorEquals':['X'],'BackoffRate':0.5}"), 0, SCHEMA,
         "/States/A/Retry[0]/BackoffRate", "Minimum value is 1"},
        {"no delay", RETRY("{'ErrorEquals':['X'],'MaxDelaySeconds':0}"), 0, SCHEMA,
         "/States/A/Retry[0]/MaxDelaySeconds", "Minimum value is 1"},
        {"over a year", RETRY("{'ErrorEquals':['X'],'MaxDelaySeconds':31622401}"), 0, SCHEMA,
         "/States/A/Retry[0]/MaxDelaySeconds", "Maximum value is 31622400"},
        {"some jitter", RETRY("{'ErrorEquals':['X'],'JitterStrategy':'SOME'}"), 0, SCHEMA,
         "/States/A/Retry[0]/JitterStrategy", "Value should be one of the following: [NONE, FULL]"},
        {"a retrier leads nowhere", RETRY("{'ErrorEquals':['X'],'Next':'A'}"), 0, SCHEMA,
         "/States/A/Retry[0]", "Field 'Next' is not supported"},
        {"all of a retrier",
         RETRY("{'ErrorEquals':['X'],'IntervalSeconds':0,'MaxAttempts':0,'BackoffRate':1,"
               "'MaxDelaySeconds':1,'JitterStrategy':'FULL','Comment':'c'},"
               "{'ErrorEquals':['States.ALL']}"),
         0, NULL, NULL, NULL},
        {"a catcher leads nowhere", CATCH("{'ErrorEquals':['X']}"), 0, SCHEMA, "/States/A/Catch[0]",
         "These fields are required: [Next]"},
        {"to nothing", CATCH("{'ErrorEquals':['X'],'Next':'C'}"), 0, TARGET,
         "/States/A/Catch[0]/Next", "Missing 'Next' target: C"},
        {"all of a catcher",
         CATCH(
             "{'ErrorEquals':['X'],'Next':'B','ResultPath':'$.e','Assign':{'a':1},'Comment':'c'}"),
         0, NULL, NULL, NULL},
        {"a Wait does not fail", ONE("{'Type':'Wait','Seconds':1,'End':true,'Catch':[]}"), 0,
         SCHEMA, "/States/A", "Field 'Catch' is not supported"},
    };
    CHECK_RULES(rules);
}

TEST(choices)
{
#define CHOOSE(rules)                                                                              \
    "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[" rules "]},'B':{'Type':'Succeed'}}}"
    static const struct rule rules[] = {
        {"no choices",
         "{'StartAt':'A','States':{'A':{'Type':'Choice','Default':'B'},'B':{'Type':"
         "'Succeed'}}}",
         0, SCHEMA, "/States/A", "These fields are required: [Choices]"},
        {"an empty list",
         "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[],'Default':'B'},"
         "'B':{'Type':'Succeed'}}}",
         0, SCHEMA, "/States/A/Choices", "Value cannot be empty"},
        {"a rule leads nowhere", CHOOSE("{'Variable':'$.a','IsNull':true}"), 0, SCHEMA,
         "/States/A/Choices[0]", "These fields are required: [Next]"},
        {"to nothing", CHOOSE("{'Variable':'$.a','IsNull':true,'Next':'C'}"), 0, TARGET,
         "/States/A/Choices[0]/Next", "Missing 'Next' target: C"},
        {"a condition in JSONPath", CHOOSE("{'Condition':true,'Next':'B'}"), 0, SCHEMA,
         "/States/A/Choices[0]",
         "The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported"},
        {"a rule", CHOOSE("{'Variable':'$.a','IsNull':true,'Next':'B'}"), 0, NULL, NULL, NULL},
        {"two comparisons",
         CHOOSE("{'Variable':'$.a','IsNull':true,'StringLessThanEqualsPath':'$.b','Next':'B'}"), 0,
         SCHEMA, "/States/A/Choices[0]",
         "There should only be one of the following fields: [IsNull, StringLessThanEqualsPath]"},
        {"no comparison", CHOOSE("{'Variable':'$.a','Next':'B'}"), 0, SCHEMA,
         "/States/A/Choices[0]", "This object should have only one of the comparison operators"},
        {"an unknown comparison", CHOOSE("{'Variable':'$.a','StringLike':'b','Next':'B'}"), 0,
         SCHEMA, "/States/A/Choices[0]", "Field 'StringLike' is not supported"},
        {"booleans have no order", CHOOSE("{'Variable':'$.a','BooleanLessThan':true,'Next':'B'}"),
         0, SCHEMA, "/States/A/Choices[0]", "Field 'BooleanLessThan' is not supported"},
        {"neither a variable nor more", CHOOSE("{'Next':'B'}"), 0, SCHEMA, "/States/A/Choices[0]",
         "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]"},
        {"And and Or",
         CHOOSE("{'And':[{'Variable':'$.a','IsNull':true}],'Or':[{'Variable':'$.a',"
                "'IsNull':true}],'Next':'B'}"),
         0, SCHEMA, "/States/A/Choices[0]",
         "The object must have only one of the following fields"},
        {"a way out of the middle",
         CHOOSE("{'And':[{'Variable':'$.a','IsNull':true,'Next':'B'}],'Next':'B'}"), 0, SCHEMA,
         "/States/A/Choices[0]/And[0]", "Field 'Next' is not supported"},
        {"a way out of Not",
         CHOOSE("{'Not':{'Variable':'$.a','IsNull':true,'Next':'B'},'Next':'B'}"), 0, SCHEMA,
         "/States/A/Choices[0]/Not", "Field 'Next' is not supported"},
        {"a variable that is no path", CHOOSE("{'Variable':'a','IsNull':true,'Next':'B'}"), 0,
         SCHEMA, "/States/A/Choices[0]/Variable", "Value is not a Reference Path"},
        {"a number to compare text with", CHOOSE("{'Variable':'$.a','StringEquals':1,'Next':'B'}"),
         0, SCHEMA, "/States/A/Choices[0]/StringEquals", "Expected value of type [STRING]"},
        {"nested",
         CHOOSE("{'Or':[{'Not':{'Variable':'$.a','StringMatches':'a*'}},{'And':[{'Variable':'$.a',"
                "'NumericGreaterThan':1}]}],'Comment':'c','Assign':{'v':1},'Next':'B'}"),
         0, NULL, NULL, NULL},
        {"a default of nothing",
         "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{'Variable':'$.a','IsNull':true,"
         "'Next':'B'}],'Default':'C'},'B':{'Type':'Succeed'}}}",
         0, TARGET, "/States/A/Default", "Missing 'Next' target: C"},
        {"a variable in JSONata",
         "{'QueryLanguage':'JSONata','StartAt':'A','States':{'A':{'Type':'Choice','Choices':["
         "{'Variable':'$.a','IsNull':true,'Next':'B'}]},'B':{'Type':'Succeed'}}}",
         0, SCHEMA, "/States/A/Choices[0]", "These fields are required: [Condition]"},
        {"a condition in JSONata",
         "{'QueryLanguage':'JSONata','StartAt':'A','States':{'A':{'Type':'Choice','Choices':["
         "{'Condition':'{% true %}','Next':'B','Output':1,'Assign':{'a':1}},"
         "{'Condition':false,'Next':'B'}]},'B':{'Type':'Succeed'}}}",
         0, NULL, NULL, NULL},
        {"text as a condition",
         "{'QueryLanguage':'JSONata','StartAt':'A','States':{'A':{'Type':'Choice','Choices':["
         "{'Condition':'yes','Next':'B'}]},'B':{'Type':'Succeed'}}}",
         0, SCHEMA, "/States/A/Choices[0]/Condition", "Expected value of type [BOOLEAN]"},
    };
    CHECK_RULES(rules);
}

TEST(waits_and_fails)
{
#define WAIT(rest) ONE("{'Type':'Wait','End':true" rest "}")
    static const struct rule rules[] = {
        {"for nothing", WAIT(""), 0, SCHEMA, "/States/A",
         "This object should have only one of the following fields: [SecondsPath, Seconds, "
         "TimestampPath, Timestamp]"},
        {"for two things", WAIT(",'Seconds':1,'Timestamp':'2026-01-01T00:00:00Z'"), 0, SCHEMA,
         "/States/A",
         "There should only be one of the following fields: [SecondsPath, Seconds, TimestampPath, "
         "Timestamp]"},
        {"backwards", WAIT(",'Seconds':-1"), 0, SCHEMA, "/States/A/Seconds", "Minimum value is 0"},
        {"for long", WAIT(",'Seconds':100000000"), 0, SCHEMA, "/States/A/Seconds",
         "Maximum value is 99999999"},
        {"a time without a zone", WAIT(",'Timestamp':'2026-01-01T00:00:00'"), 0, SCHEMA,
         "/States/A/Timestamp", "String does not match RFC3339 timestamp"},
        {"an expression in JSONPath", WAIT(",'Timestamp':'{% 1 %}'"), 0, SCHEMA,
         "/States/A/Timestamp", "String does not match RFC3339 timestamp"},
        {"seconds from a function", WAIT(",'SecondsPath':'States.MathAdd(1,2)'"), 0, SCHEMA,
         "/States/A/SecondsPath", "Value must be a valid JSONPath."},
        {"an offset", WAIT(",'Timestamp':'2026-01-01T00:00:00+01:00'"), 0, NULL, NULL, NULL},
        {"JSONata", ONE_JSONATA("{'Type':'Wait','End':true,'Seconds':'{% 1 %}'}"), 0, NULL, NULL,
         NULL},
        {"two errors", ONE("{'Type':'Fail','Error':'a','ErrorPath':'$.e'}"), 0, SCHEMA, "/States/A",
         "There should only be one of the following fields: [Error, ErrorPath]"},
        {"an error from a function", ONE("{'Type':'Fail','ErrorPath':'States.UUID()','Cause':'c'}"),
         0, NULL, NULL, NULL},
        {"an error from text", ONE("{'Type':'Fail','ErrorPath':'e'}"), 0, SCHEMA,
         "/States/A/ErrorPath",
         "The value for the field 'ErrorPath' must be a valid JSONPath or a valid intrinsic "
         "function call"},
    };
    CHECK_RULES(rules);
}

TEST(parallel)
{
    static const struct rule rules[] = {
        {"no branches", ONE("{'Type':'Parallel','End':true}"), 0, SCHEMA, "/States/A",
         "These fields are required: [Branches]"},
        {"an empty list", ONE("{'Type':'Parallel','End':true,'Branches':[]}"), 0, SCHEMA,
         "/States/A/Branches", "Value cannot be empty"},
        {"a branch without states", ONE("{'Type':'Parallel','End':true,'Branches':[{}]}"), 0,
         SCHEMA, "/States/A/Branches[0]", "These fields are required: [States, StartAt]"},
        {"a branch's timeout",
         ONE("{'Type':'Parallel','End':true,'Branches':[{'TimeoutSeconds':1,'StartAt':'B','States':"
             "{'B':{'Type':'Succeed'}}}]}"),
         0, SCHEMA, "/States/A/Branches[0]", "Field 'TimeoutSeconds' is not supported"},
        {"two",
         ONE("{'Type':'Parallel','End':true,'Branches':[" PASS_B ",{'Comment':'c','StartAt':"
             "'C','States':{'C':{'Type':'Succeed'}}}]}"),
         0, NULL, NULL, NULL},
    };
    CHECK_RULES(rules);
}

#define MAP(rest) ONE("{'Type':'Map','End':true,'ItemProcessor':" PASS_B rest "}")
#define DISTRIBUTED(rest)                                                                          \
    ONE("{'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED',"       \
        "'ExecutionType':'STANDARD'},'StartAt':'B','States':{'B':{'Type':'Succeed'}}}" rest "}")
#define READS(config)                                                                              \
    DISTRIBUTED(                                                                                   \
        ",'ItemReader':{'Resource':'arn:aws:states:::s3:getObject','Parameters':{'Bucket':"        \
        "'b','Key':'k'},'ReaderConfig':" config "}")

TEST(maps)
{
    static const struct rule rules[] = {
        {"no processor", ONE("{'Type':'Map','End':true}"), 0, SCHEMA, "/States/A",
         "This object should have only one of the following fields: [ItemProcessor, Iterator]"},
        {"two processors", MAP(",'Iterator':" PASS_B), 0, SCHEMA, "/States/A",
         "There should only be one of the following fields: [ItemProcessor, Iterator]"},
        {"two selectors", MAP(",'ItemSelector':{},'Parameters':{}"), 0, SCHEMA, "/States/A",
         "There should only be one of the following fields: [ItemSelector, Parameters]"},
        {"items that are many", MAP(",'ItemsPath':'$.a[*]'"), 0, SCHEMA, "/States/A/ItemsPath",
         "Value is not a Reference Path"},
        {"items of a variable", MAP(",'ItemsPath':'$v.a'"), 0, NULL, NULL, NULL},
        {"less than none at once", MAP(",'MaxConcurrency':-1"), 0, SCHEMA,
         "/States/A/MaxConcurrency", "Minimum value is 0"},
        {"more than all may fail", MAP(",'ToleratedFailurePercentage':101"), 0, SCHEMA,
         "/States/A/ToleratedFailurePercentage", "Maximum value is 100"},
        {"no execution type",
         ONE("{'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'DISTRIBUTED'},"
             "'StartAt':'B','States':{'B':{'Type':'Succeed'}}}}"),
         0, SCHEMA, "/States/A/ItemProcessor/ProcessorConfig",
         "These fields are required: [ExecutionType]"},
        {"an execution type without executions",
         ONE("{'Type':'Map','End':true,'ItemProcessor':{'ProcessorConfig':{'Mode':'INLINE',"
             "'ExecutionType':'STANDARD'},'StartAt':'B','States':{'B':{'Type':'Succeed'}}}}"),
         0, SCHEMA, "/States/A/ItemProcessor/ProcessorConfig",
         "Field 'ExecutionType' is not supported"},
        {"items in JSONata",
         ONE_JSONATA("{'Type':'Map','End':true,'Items':[1,'{% 2 %}'],'ItemProcessor':" PASS_B "}"),
         0, NULL, NULL, NULL},
        {"items of text",
         ONE_JSONATA("{'Type':'Map','End':true,'Items':'a','ItemProcessor':" PASS_B "}"), 0, SCHEMA,
         "/States/A/Items", "Expected value of type [ARRAY]"},
        {"an Iterator",
         ONE("{'Type':'Map','End':true,'Parameters':{'a.$':'$'},'Iterator':" PASS_B "}"), 0, NULL,
         NULL, NULL},
        {"a long label", DISTRIBUTED(",'Label':'a2345678901234567890123456789012345678901'"), 0,
         "INVALID_LABEL_NAME", "/States/A/Label", "The label name 'a2"},
        {"a label with blanks", DISTRIBUTED(",'Label':'a b'"), 0, "INVALID_LABEL_NAME",
         "/States/A/Label", "The label name 'a b' contains invalid characters"},
        {"a label twice",
         "{'StartAt':'A','States':{'A':{'Type':'Map','Label':'l','Next':'C','ItemProcessor':" PASS_B
         "},'C':{'Type':'Map','Label':'l','End':true,'ItemProcessor':{'StartAt':'D','States':{'D':"
         "{'Type':'Succeed'}}}}}}",
         0, "DUPLICATE_LABEL_NAME", "/States/C/Label", "Duplicate Label name: l"},
    };
    CHECK_RULES(rules);
}

TEST(readers_batches_and_writers)
{
    static const struct rule rules[] = {
        {"another service",
         DISTRIBUTED(
             ",'ItemReader':{'Resource':'arn:aws:states:::sqs:sendMessage','Parameters':{}}"),
         0, SCHEMA, "/States/A/ItemReader/Resource",
         "The field 'Resource' does not match any of the allowed values"},
        {"a list of objects",
         DISTRIBUTED(",'ItemReader':{'Resource':'arn:aws:states:::s3:listObjectsV2','Parameters':"
                     "{'Bucket':'b'}}"),
         0, NULL, NULL, NULL},
        {"an object of no type", READS("{'MaxItems':1}"), 0, SCHEMA,
         "/States/A/ItemReader/ReaderConfig", "These fields are required: [InputType]"},
        {"an unknown type", READS("{'InputType':'XML'}"), 0, SCHEMA,
         "/States/A/ItemReader/ReaderConfig/InputType",
         "Value should be one of the following: [CSV,"},
        {"CSV without a header", READS("{'InputType':'CSV'}"), 0, SCHEMA,
         "/States/A/ItemReader/ReaderConfig", "The field 'CSVHeaderLocation' is required"},
        {"a header that is not given", READS("{'InputType':'CSV','CSVHeaderLocation':'GIVEN'}"), 0,
         SCHEMA, "/States/A/ItemReader/ReaderConfig", "These fields are required: [CSVHeaders]"},
        {"a header of JSON", READS("{'InputType':'JSON','CSVHeaderLocation':'FIRST_ROW'}"), 0,
         SCHEMA, "/States/A/ItemReader/ReaderConfig", "Field 'CSVHeaderLocation' is not supported"},
        {"a pointer that is none", READS("{'InputType':'JSON','ItemsPointer':'a'}"), 0, SCHEMA,
         "/States/A/ItemReader/ReaderConfig/ItemsPointer", "Value must be a valid JSON pointer."},
        {"two ceilings", READS("{'InputType':'JSONL','MaxItems':1,'MaxItemsPath':'$.m'}"), 0,
         SCHEMA, "/States/A/ItemReader/ReaderConfig",
         "There should only be one of the following fields: [MaxItems, MaxItemsPath]"},
        {"CSV",
         READS("{'InputType':'CSV','CSVHeaderLocation':'GIVEN','CSVHeaders':['a'],"
               "'CSVDelimiter':'PIPE','MaxItemsPath':'$.m'}"),
         0, NULL, NULL, NULL},
        {"a manifest of Athena", READS("{'ManifestType':'ATHENA_DATA','InputType':'PARQUET'}"), 0,
         NULL, NULL, NULL},
        {"batches without bounds", DISTRIBUTED(",'ItemBatcher':{'BatchInput':{}}"), 0, SCHEMA,
         "/States/A/ItemBatcher", "At least one of the following fields is required"},
        {"large batches", DISTRIBUTED(",'ItemBatcher':{'MaxInputBytesPerBatch':262145}"), 0, SCHEMA,
         "/States/A/ItemBatcher/MaxInputBytesPerBatch", "Maximum value is 262144"},
        {"batches",
         DISTRIBUTED(",'ItemBatcher':{'MaxItemsPerBatchPath':'$.n','BatchInput':"
                     "{'a.$':'$.b'}}"),
         0, NULL, NULL, NULL},
        {"an empty writer", DISTRIBUTED(",'ResultWriter':{}"), 0, SCHEMA, "/States/A/ResultWriter",
         "These fields are required: [Resource]"},
        {"a writer without a place",
         DISTRIBUTED(",'ResultWriter':{'Resource':'arn:aws:states:::s3:putObject'}"), 0, SCHEMA,
         "/States/A/ResultWriter", "These fields are required: [Parameters]"},
        {"a form alone",
         DISTRIBUTED(",'ResultWriter':{'WriterConfig':{'Transformation':'FLATTEN','OutputType':"
                     "'JSONL'}}"),
         0, NULL, NULL, NULL},
        {"an unknown form",
         DISTRIBUTED(",'ResultWriter':{'WriterConfig':{'Transformation':'ZIP'}}"), 0, SCHEMA,
         "/States/A/ResultWriter/WriterConfig/Transformation",
         "Value should be one of the following: [NONE, COMPACT, FLATTEN]"},
    };
    CHECK_RULES(rules);
}

TEST_MAIN
