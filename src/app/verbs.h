/* verbs.h: what each row of the table of verbs (verbs.c) runs.
 *
 * argv[0] is the verb's last word and not looked at; options and arguments follow. Each returns the
 * exit code of the process (cli.h). */
#ifndef SLUICE_APP_VERBS_H
#define SLUICE_APP_VERBS_H

int verb_serve(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_config_init(int argc, char **argv);
int verb_config_show(int argc, char **argv);
int verb_config_schema(int argc, char **argv);
int verb_config_reference(int argc, char **argv);
int verb_keys_create(int argc, char **argv);
int verb_keys_list(int argc, char **argv);
int verb_keys_show(int argc, char **argv);
int verb_keys_rotate(int argc, char **argv);
int verb_keys_revoke(int argc, char **argv);
int verb_keys_hash(int argc, char **argv);
int verb_models(int argc, char **argv);
int verb_catalog_import(int argc, char **argv);
int verb_import_litellm(int argc, char **argv);
int verb_route_explain(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_chat(int argc, char **argv);
int verb_credit(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_usage(int argc, char **argv);
int verb_logs(int argc, char **argv);
int verb_audit(int argc, char **argv);
int verb_healthcheck(int argc, char **argv);
int verb_completion(int argc, char **argv);
int verb_version(int argc, char **argv);

#endif
